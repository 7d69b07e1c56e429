//! The arguments of `completions` and `man`.

use clap::Args;
use clap_complete::Shell;

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  invoker completions bash > ~/.local/share/bash-completion/completions/invoker
  invoker completions zsh > \"${fpath[1]}/_invoker\"
  invoker completions fish > ~/.config/fish/completions/invoker.fish";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  invoker man | man -l -                              read it
  invoker man get | man -l -                          all flags of `invoker get`
  invoker man > ~/.local/share/man/man1/invoker.1";

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Whose
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The page of this command [default: that of the whole]
    pub(crate) command: Option<String>,
}
