// The sections of the page come in; each gets what reads its stream.

import { Rows } from "./rows.js";
import { Run } from "./run.js";
import { Tokens } from "./tokens.js";

for (const [id, Part] of [["rows", Rows], ["tokens", Tokens]]) {
  const section = document.getElementById(id);
  new Run(section, new Part(section));
  // The test's sign, and nobody else's, that the buttons work.
  section.dataset.wired = "";
}
