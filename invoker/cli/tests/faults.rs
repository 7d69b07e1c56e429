//! Each fault of `docs/local-faults.md` comes in, in the places that matter; what the command makes of
//! it comes out, as the table in `docs/faults.md`, which has to say the same.
//!
//! `UPDATE_DOCS=1 cargo test -p invoker-cli --test faults` writes them anew.
#![cfg(target_os = "linux")] // whose words for a broken connection the tables have
#![allow(clippy::unwrap_used)] // helpers of tests may unwrap, as tests may

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use local_lambda::{FAULT_FORMS, Fault, FaultRule, Function, LocalLambda, Logs};
use support::{Home, Ran, failing_function, pattern, sha256};

/// The object: a pattern of this many bytes, in four segments.
const OBJECT: u64 = 256 * 1024;
const SEGMENT: &str = "64KiB";

/// The plain stream: this many letters x, without a promised length.
const STREAM: usize = 100_000;

/// The heads of the two tables.
const USUAL: &str = "| fault | what it is | exit code | message | healed by another try | can be \
                     continued | plain stream |\n";
const FIRST: &str = "| fault in every invocation, the first one too | exit code | message |\n";

/// Rows that are tried at the same time. Each has its own functions.
const SIDE_BY_SIDE: usize = 6;

const NOT_TAKEN_UP: &str = "a plain stream cannot be taken up where it stopped: ";

/// Where the tables begin and end in the document.
const BEGIN: &str = "<!-- the tables begin; invoker/cli/tests/faults.rs writes them -->\n";
const END: &str = "<!-- the tables end -->\n";

/// A fault, and what else it takes to see it.
struct Case {
    fault: &'static str,
    what: &'static str,
    /// Flags that make it short.
    flags: &'static str,
    /// What a plain stream must come to. It has no length and no checksum, so not all can be seen.
    plain: Plain,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plain {
    /// Whole, or an error.
    Seen,
    /// Other bytes, and nothing that tells.
    Unseen,
}

const fn case(fault: &'static str, what: &'static str) -> Case {
    Case { fault, what, flags: "", plain: Plain::Seen }
}

const fn with(flags: &'static str, fault: &'static str, what: &'static str) -> Case {
    Case { fault, what, flags, plain: Plain::Seen }
}

const fn unseen(fault: &'static str, what: &'static str) -> Case {
    Case { fault, what, flags: "", plain: Plain::Unseen }
}

const FIRST_BYTE: &str = "--first-byte-timeout 1";
const IDLE: &str = "--idle-timeout 0.5";
const PATIENCE: &str = "--throttle-patience 0.2";
const MAX_TIME: &str = "--max-time 1";

/// In the order of `docs/local-faults.md`.
const CASES: [Case; 60] = [
    case("cut=head:close", "closed before the HTTP head"),
    case("cut=head:reset", "reset before the HTTP head"),
    case("cut=0:end", "the body ends before its first byte"),
    case("cut=0:close", "closed before the first byte of the body"),
    case("cut=frame.2:end", "the body ends between two frames"),
    case("cut=frame.2:close", "closed between two frames"),
    case("cut=frame.2:reset", "reset between two frames"),
    case(
        "cut=frame.2+12:end",
        "the body ends 12 bytes into a frame, where the SDK takes it for whole",
    ),
    case("cut=frame.2+12:close", "closed 12 bytes into a frame"),
    case("cut=frame.2+100:end", "the body ends inside a frame"),
    case("cut=frame.2+100:reset", "reset inside a frame"),
    case("cut=frame.last:end", "the body ends after the last byte of the result"),
    case("cut=frame.last:close", "closed after the last byte of the result"),
    case("cut=frame.last:reset", "reset after the last byte of the result"),
    with(FIRST_BYTE, "stall=head", "silence before the HTTP head"),
    with(FIRST_BYTE, "stall=0", "silence before the first frame"),
    with(IDLE, "stall=frame.2+100", "silence inside a frame"),
    with(IDLE, "stall=frame.last", "silence after the last byte of the result"),
    with("--speed-limit 40KB --speed-time 1", "drip=1000/100ms", "10 KB/s"),
    case("flip=2.0", "a bit of a frame's length"),
    case("flip=1000.3", "a bit of a frame's payload"),
    case("crc=2", "a wrong checksum of a frame"),
    case("prelude-crc=2", "a wrong checksum of a frame's prelude"),
    case("length=2", "a frame of 4 GiB"),
    case("length=2:20", "a frame that is too short for its headers"),
    case("error=2", "an error frame in mid-stream"),
    case("exception=2:ServiceException", "an exception frame in mid-stream"),
    case("exception=last:ServiceException", "an exception frame in place of the end"),
    case("unknown-event=2", "an event of a later service"),
    case("no-complete", "no `InvokeComplete`"),
    case("late-chunk=10", "a `PayloadChunk` after the end"),
    case("late-junk=10", "bytes after the end"),
    with(PATIENCE, "throttle", "429"),
    with(PATIENCE, "throttle:retry-after=1", "429 with `Retry-After`"),
    with(PATIENCE, "refuse=502:EC2ThrottledException", "a throttle of another name"),
    case("refuse=500", "500"),
    case("refuse=503", "503"),
    case("refuse=403:AccessDeniedException", "403"),
    case("refuse-after=500", "500 after the function ran"),
    with(FIRST_BYTE, "cold=100s", "a start that takes too long"),
    case("crash", "the process dies before it answers"),
    case("crash=30000", "the process dies in mid-answer"),
    case("timeout=0ns", "the function's time is over"),
    case("version=7", "another version of the function is named"),
    case("split=1000", "small frames"),
    case("split=3:head", "the head in frames of 3 bytes"),
    case("no-head", "no head"),
    case("pad-head=15000", "a head of 15,000 bytes"),
    with(MAX_TIME, "endless-head", "a head that never ends"),
    case("header=etag:\"other\"", "another ETag"),
    case("no-header=etag", "no ETag"),
    case("header=content-range:bytes 0-9/10", "another `content-range`"),
    case("no-header=content-range", "no `content-range`"),
    case("header=content-length:70000", "another `content-length`"),
    case("no-header=content-length", "no `content-length`"),
    case("no-header=accept-ranges", "no `accept-ranges`"),
    unseen("shorten=10", "the last 10 bytes are missing, the end is clean"),
    unseen("lengthen=10", "10 bytes too many, the end is clean"),
    unseen("flip-body=1000.3", "a bit that was wrong before there were checksums of frames"),
    case("trailer-text=30000", "the text of `lambda_runtime` in place of an end"),
];

/// Which of a function's invocations have which fault, counted from when it was set.
type Wishes = Arc<Mutex<HashMap<String, Wish>>>;

struct Wish {
    fault: Fault,
    on: RangeInclusive<u64>,
    seen: u64,
}

/// A service for all rows, which misbehaves for each as it wants.
struct Bench {
    _runtime: tokio::runtime::Runtime,
    local: LocalLambda,
    wishes: Wishes,
}

impl Bench {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let mut builder = LocalLambda::builder().logs(Logs::Discard);
        for lane in 0..SIDE_BY_SIDE {
            let object = Function::new(format!("object{lane}"), env!("CARGO_BIN_EXE_invoker"))
                .arg("serve-function")
                .env("STREAM_FN_SOURCE", "pattern");
            let plain = failing_function();
            let plain = Function::from_command_line(format!("plain{lane}"), &plain).unwrap();
            builder = builder.function(object).function(plain);
        }
        let wishes = Wishes::default();
        let set = Arc::clone(&wishes);
        let builder = builder.choose_faults(move |asked| {
            let mut set = set.lock().unwrap();
            let Some(wish) = set.get_mut(asked.function) else { return vec![] };
            wish.seen += 1;
            if wish.on.contains(&wish.seen) { vec![wish.fault.clone()] } else { vec![] }
        });
        let local = runtime.block_on(builder.start()).unwrap();
        Self { _runtime: runtime, local, wishes }
    }

    /// Lets `fault` happen to these invocations of `function` from now on.
    fn wish(&self, function: &str, fault: &Fault, on: RangeInclusive<u64>) {
        let wish = Wish { fault: fault.clone(), on, seen: 0 };
        self.wishes.lock().unwrap().insert(function.to_owned(), wish);
    }

    fn behave(&self, function: &str) {
        self.wishes.lock().unwrap().remove(function);
    }
}

/// One of the rows that are tried side by side, with a folder of its own.
struct Lane<'a> {
    bench: &'a Bench,
    number: usize,
    home: Home,
}

/// How the object's download ended.
struct Outcome {
    code: i32,
    /// The line that says why, without what is never the same.
    message: String,
    /// The part file and the journal are there.
    kept: bool,
    began: Began,
}

/// What a case comes to.
struct Row {
    usual: String,
    /// If it comes to something else where not even the first invocation works.
    first: Option<String>,
}

/// What the first invocation was, which tells what the object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Began {
    Right,
    Wrong,
}

impl Lane<'_> {
    /// Runs it; what it wrote as its report is as true as its exit code.
    fn run(&self, line: &str) -> Ran {
        let url = self.bench.local.endpoint_url();
        let ran = self.home.run(&format!("{line} --endpoint-url {url} -q --report report.json"));
        let report = self.home.json("report.json");
        std::fs::remove_file(self.home.path("report.json")).unwrap();
        assert_eq!(report["error"].is_null(), ran.code == Some(0), "{line}: {report}");
        let kept = self.home.path("out.part.journal").exists();
        assert_eq!(report["resumable"], kept, "{line}: {report}");
        let verified = ran.code == Some(0) && !line.contains("get plain");
        let status = if verified { "verified" } else { "not-verified" };
        assert_eq!(report["integrity"]["status"], status, "{line}: {report}");
        ran
    }

    fn object(&self) -> String {
        format!("object{}", self.number)
    }

    fn get_object(&self, flags: &str) -> Ran {
        let (object, cut) = (self.object(), format!("--segment-size {SEGMENT} --in-flight 1"));
        self.run(&format!("get {object} {OBJECT} -o out {cut} {flags}"))
    }

    /// Fetches while these invocations have the fault. Whatever comes of it is the whole truth.
    fn object_with(&self, case: &Case, on: RangeInclusive<u64>, retries: u32) -> Outcome {
        let fault = fault(case);
        let began = if on.contains(&1) { Began::Wrong } else { Began::Right };
        self.bench.wish(&self.object(), &fault, on);
        let ran = self.get_object(&format!("--retries {retries} {}", case.flags));
        self.bench.behave(&self.object());
        let outcome = self.outcome(case, ran, began);
        if outcome.code == 0 {
            self.is_the_object(case);
        }
        outcome
    }

    fn outcome(&self, case: &Case, ran: Ran, began: Began) -> Outcome {
        let code = ran.code.unwrap_or_else(|| panic!("{}: it was killed", case.fault));
        let names = self.home.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kept = match (code, &names[..]) {
            (0, ["out"]) => false,
            (0, names) => panic!("{}: {names:?} after success", case.fault),
            (_, []) => false,
            (_, ["out.part", "out.part.journal"]) => true,
            (_, names) => panic!("{}: {names:?} after {}", case.fault, ran.stderr),
        };
        let says_so = ran.stderr.contains("to continue: invoker resume out");
        assert_eq!(says_so, kept, "{}: {}", case.fault, ran.stderr);
        let message = ran.stderr.lines().next().map(masked).unwrap_or_default();
        let message = message.replace(&self.object(), "files");
        assert_eq!(message.is_empty(), code == 0, "{}: {}", case.fault, ran.stderr);
        Outcome { code, message, kept, began }
    }

    /// The file is the object; it is removed.
    fn is_the_object(&self, case: &Case) {
        let (bytes, expected) = (self.home.read("out"), pattern(0..OBJECT));
        assert_eq!(sha256(&bytes), sha256(&expected), "{}", case.fault);
        std::fs::remove_file(self.home.path("out")).unwrap();
    }

    /// The same for a plain stream.
    fn plain_with(&self, case: &Case, on: RangeInclusive<u64>, retries: u32) -> Outcome {
        let plain = format!("plain{}", self.number);
        self.bench.wish(&plain, &fault(case), on);
        let payload = format!(r#"{{"fail":"never","after":{STREAM}}}"#);
        let flags = format!("--retries {retries} {}", case.flags);
        let ran = self.run(&format!("get {plain} -p {payload} -o out {flags}"));
        self.bench.behave(&plain);
        let outcome = self.outcome(case, ran, Began::Wrong);
        assert!(!outcome.kept, "{}: a plain stream cannot be continued", case.fault);
        if outcome.code == 0 {
            let right = self.home.read("out") == [b'x'; STREAM];
            assert_eq!(right, case.plain == Plain::Seen, "{}", case.fault);
            std::fs::remove_file(self.home.path("out")).unwrap();
        }
        outcome
    }

    fn row(&self, case: &Case) -> Row {
        // The first invocation tells what there is; the fault is in the second, or from there on.
        let once = self.object_with(case, 2..=2, 1);
        self.go_on(case, &once);
        let always = self.object_with(case, 2..=u64::MAX, 0);
        self.go_on(case, &always);
        let first = self.object_with(case, 1..=u64::MAX, 0);
        self.go_on(case, &first);
        let plain = self.plain_with(case, 1..=1, 1);
        let plain = match plain.code {
            0 => Err(self.plain_with(case, 1..=u64::MAX, 0)),
            _ => Ok(plain),
        };

        let healed = match (once.code, always.code) {
            (0, 0) => "no harm",
            (0, _) => "yes",
            (code, _) => {
                assert_eq!(code, always.code, "{}: {}", case.fault, once.message);
                "no"
            }
        };
        let kept = match (always.code, always.kept) {
            (0, _) => "",
            (_, true) => "yes",
            (_, false) => "no",
        };
        let plain = match plain {
            Err(again) if again.code == 0 && case.plain == Plain::Unseen => "not seen".to_owned(),
            Err(again) if again.code == 0 => "no harm".to_owned(),
            Err(again) => {
                assert_eq!(again.code, always.code, "{}: {}", case.fault, again.message);
                format!("{}, healed", again.code)
            }
            Ok(plain) if plain.code == always.code && plain.message == always.message => {
                plain.code.to_string()
            }
            Ok(plain) => format!("{}: {}", plain.code, cell(&plain.message)),
        };
        let (fault, message) = (cell(case.fault), cell(&always.message));
        let usual = format!(
            "| `{fault}` | {} | {} | {message} | {healed} | {kept} | {plain} |\n",
            case.what, always.code,
        );
        let differs = first.code != always.code || first.message != always.message;
        let first =
            differs.then(|| format!("| `{fault}` | {} | {} |\n", first.code, cell(&first.message)));
        Row { usual, first }
    }

    /// Without the fault the same download becomes whole, by either of the two ways.
    fn go_on(&self, case: &Case, outcome: &Outcome) {
        if outcome.code == 0 {
            return;
        }
        let mut ran = match outcome.kept {
            true => self.run("resume out"),
            false => self.get_object(""),
        };
        if outcome.kept && outcome.began == Began::Wrong && matches!(ran.code, Some(6 | 254)) {
            // It was begun with a version that there never was.
            ran = self.get_object("--restart");
        }
        assert_eq!(ran.code, Some(0), "{}: {}", case.fault, ran.stderr);
        self.is_the_object(case);
    }
}

fn fault(case: &Case) -> Fault {
    case.fault.parse::<FaultRule>().unwrap_or_else(|error| panic!("{error}")).fault().clone()
}

/// For a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<")
}

/// A line of the command, without what is another in each run: where the service is, ids, checksums,
/// and how many bytes had come, which is a matter of how sockets were read.
fn masked(line: &str) -> String {
    let line = line.strip_prefix("invoker: ").unwrap_or(line);
    // What every failure of a plain stream that had begun says first.
    let line = line.strip_prefix(NOT_TAKEN_UP).unwrap_or(line);
    let is_rate = line.contains(" bytes arrived in ");
    let mut masked: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let (name, value) = bare.split_once(':').unwrap_or(("", bare));
        let hex = |len| value.len() == len && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = bare.len() == 36 && bare.split('-').count() == 5;
        let before = masked.last().map_or("", String::as_str);
        let sum = matches!(before, "checksum" | "says") && hex(8);
        let count = (before == "after" || is_rate && ["", "in"].contains(&before))
            && bare != "0"
            && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let instead = match () {
            () if bare.starts_with("http://127.0.0.1:") => "http://…",
            () if id => "…",
            () if sum => "…",
            () if name == "crc64nvme" && hex(16) => "crc64nvme:…",
            () if count => "N",
            () => bare,
        };
        masked.push(match bare {
            "" => word.to_owned(),
            _ => word.replace(bare, instead),
        });
    }
    masked.join(" ").replace(" (request …)", "").replace(".; ", "; ")
}

#[test]
fn every_kind_of_fault_is_tried() {
    for (form, _) in FAULT_FORMS {
        let kind = form.split(['=', '[']).next().unwrap();
        let tried = CASES.iter().any(|case| case.fault.split('=').next() == Some(kind));
        assert!(tried, "docs/faults.md has no {kind}");
    }
}

#[test]
fn every_fault_ends_as_the_table_says() {
    let bench = Bench::start();
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::default();
    thread::scope(|scope| {
        for number in 0..SIDE_BY_SIDE {
            let (bench, next, rows) = (&bench, &next, &rows);
            scope.spawn(move || {
                let lane = Lane { bench, number, home: Home::new() };
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed))
                    && let Some(case) = CASES.get(at)
                {
                    let row = lane.row(case);
                    rows.lock().unwrap().push((at, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(at, _)| *at);
    let mut tables = format!("{USUAL}|---|---|---|---|---|---|---|\n");
    tables.extend(rows.iter().map(|(_, row)| row.usual.as_str()));
    let _ = write!(tables, "\n{FIRST}|---|---|---|\n");
    tables.extend(rows.iter().filter_map(|(_, row)| row.first.as_deref()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (said, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
    } else {
        for (said, is) in said.lines().zip(tables.lines()) {
            assert_eq!(said, is, "docs/faults.md says otherwise; UPDATE_DOCS=1 writes it anew");
        }
        assert_eq!(said, tables, "docs/faults.md has other rows");
    }
}
