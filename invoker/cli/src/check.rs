//! A function and one of its objects go in; which rules of the contract it keeps comes out, case by
//! case. The contract is docs/contract.md.

mod answer;

mod case;
mod judge;

mod asking;

mod verdict;

use std::io::Write;

use indicatif::BinaryBytes;
use invoker::{DEFAULT_SEGMENT_SIZE, Invocation};

use crate::args::{Check, Question};
use crate::question::{json, payload};
use crate::report::{Failure, in_one_line, say};
use crate::signals;
use crate::target::Target;
use crate::time_limits::{MaxTime, timeouts};
use crate::url::{is_url, shown};
use asking::Caller;
use case::{Case, Expect};
use judge::Known;
use verdict::{Told, Verdict};

/// Segments that are asked for side by side.
const SIDE_BY_SIDE: u64 = 8;

/// The largest object that is fetched whole, in bytes: what that costs should surprise nobody.
const WHOLE_MAX: u64 = 64 * 1024 * 1024;

/// The status of an object that is not there.
const NOT_FOUND: u16 = 404;

/// What no function has, one hopes.
const NO_OBJECT: &str = "invoker-check/no-such-object";

/// Asks, judges, and tells.
pub(crate) async fn check(arguments: Check) -> Result<(), Failure> {
    let payload = payload(&arguments.question)?;
    let failing = arguments.failing.as_deref().map(Failing::read).transpose()?;
    let max_time = MaxTime::of(&arguments.limits);
    let Check { question, connection, .. } = &arguments;
    let target = Target::find(&question.function, connection, arguments.quiet);
    let target = max_time.prepare(target).await?;
    let invocation = target.invocation(question, payload)?;
    let caller = Caller::new(target.invoker(timeouts(&arguments.limits, max_time)), invocation);
    let mut told = Told::default();
    let checked = max_time.download(async {
        tokio::select! {
            checked = run(&arguments, &caller, failing, &mut told) => checked,
            failure = signals::interrupted() => Err(failure),
        }
    });
    let checked = checked.await;
    target.close().await;
    if checked.is_err() && told.is_empty() {
        return checked;
    }
    let text = match arguments.json {
        true => format!("{}\n", told.json(&shown(&question.function), question.object.as_deref())),
        false => told.words(arguments.quiet),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            return Err(Failure::BrokenPipe);
        }
        Err(error) => return Err(Failure::file("cannot write stdout", error)),
    }
    match (checked, told.broken()) {
        (Ok(()), 0) => Ok(()),
        (Ok(()), n) => {
            let function = shown(&question.function);
            let message = format!("{function} does not keep the contract: {n} of it broken");
            Err(Failure::Broken(message))
        }
        (failed, _) => failed,
    }
}

/// What fails midway.
enum Failing {
    Object(String),
    Payload(Vec<u8>),
}

impl Failing {
    fn read(argument: &str) -> Result<Self, Failure> {
        match argument.starts_with(['{', '[', '"', '@']) {
            true => json(argument, "--failing", "the payload").map(Self::Payload),
            false => Ok(Self::Object(argument.to_owned())),
        }
    }

    fn of(&self, invocation: Invocation) -> Invocation {
        match self {
            Self::Object(name) => invocation.object(name),
            Self::Payload(payload) => invocation.payload(payload.clone()),
        }
    }
}

/// An error is none of the function's: then the rest is not tried.
async fn run(
    arguments: &Check,
    caller: &Caller,
    failing: Option<Failing>,
    told: &mut Told,
) -> Result<(), Failure> {
    let Question { function, object, .. } = &arguments.question;
    told.invocations += 1;
    let begun = caller.ask(&case::first(None)).await?;
    if begun.status == Some(NOT_FOUND) {
        let function = shown(function);
        let message = format!("{function} answered {NOT_FOUND}: name an object that it has");
        return Err(Failure::Usage(message));
    }
    let mut known = match Known::learn(&begun) {
        Ok(known) => known,
        Err(faults) => {
            told.add(&case::first(None), Verdict::Broken(faults));
            let why = "the first answer tells of no object with ranges and a version";
            told.note("all others", Verdict::NotTried(why.to_owned()));
            return Ok(());
        }
    };
    let first = case::first(Some(known.size));
    let verdict = judge::judge(&first, &mut known, &begun);
    told.add(&first, verdict);
    told.note("type and time of the object", judge::described(&begun));

    let cases = case::of(known.size, &known.etag);
    let side_by_side = case::side_by_side(known.size, &known.etag, SIDE_BY_SIDE);
    if !arguments.quiet {
        let whole = match known.size {
            0..=WHOLE_MAX => known.size.div_ceil(DEFAULT_SEGMENT_SIZE).max(1),
            _ => 0,
        };
        let others = u64::from(object.is_some()) + u64::from(failing.is_some());
        let invocations = (cases.len() + side_by_side.len()) as u64 + whole + others + 1;
        say(&format!(
            "invoker: {} bytes; some {invocations} invocations of {}, {} of each at most",
            known.size,
            shown(function),
            BinaryBytes(DEFAULT_SEGMENT_SIZE)
        ));
    }
    for case in &cases {
        told.invocations += 1;
        let answer = caller.ask(case).await?;
        let verdict = judge::judge(case, &mut known, &answer);
        told.add(case, verdict);
    }
    if !side_by_side.is_empty() {
        told.invocations += side_by_side.len() as u64;
        let answers = caller.ask_all(&side_by_side).await?;
        let mut all = Vec::new();
        for (case, answer) in side_by_side.iter().zip(&answers) {
            if let Verdict::Broken(faults) = judge::judge(case, &mut known, answer) {
                all.extend(faults);
            }
        }
        told.note(case::SIDE_BY_SIDE, Verdict::of(all));
    }
    not_there(object.is_some(), caller, &mut known, told).await?;
    fetched(caller, known.size, told).await?;
    fails(caller, failing, is_url(function), told).await
}

/// A refusal has a status and a small body, and is no failure of the function.
async fn not_there(
    by_name: bool,
    caller: &Caller,
    known: &mut Known,
    told: &mut Told,
) -> Result<(), Failure> {
    let case = Case::new("an object that is not there", None, Expect::NotFound);
    if !by_name {
        let why = "a payload has no name that could be wrong: give an object in its place";
        told.add(&case, Verdict::NotTried(why.to_owned()));
        return Ok(());
    }
    told.invocations += 1;
    let answer = caller.ask_for(NO_OBJECT, &case).await?;
    told.add(&case, judge::judge(&case, known, &answer));
    Ok(())
}

/// All of it as `invoker cat` does it: discovery, segments, pins, and the checksum of the whole.
async fn fetched(caller: &Caller, size: u64, told: &mut Told) -> Result<(), Failure> {
    const RULE: &str = "all of it, by segments";
    if size > WHOLE_MAX {
        let most = BinaryBytes(WHOLE_MAX);
        told.note(RULE, Verdict::NotTried(format!("it is larger than {most}: see `invoker get`")));
        return Ok(());
    }
    let (invocations, outcome) = caller.fetch().await;
    told.invocations += invocations;
    let verdict = match outcome {
        Ok(came) if came == size => Verdict::Kept,
        Ok(came) => Verdict::Broken(vec![format!("expected {size} bytes, came {came}")]),
        Err(error) if asking::is_of_the_function(error.kind()) => {
            Verdict::Broken(vec![in_one_line(&error)])
        }
        Err(error) => return Err(error.into()),
    };
    told.note(RULE, verdict);
    Ok(())
}

/// A failure in mid-stream is never a clean end, and has a type.
async fn fails(
    caller: &Caller,
    failing: Option<Failing>,
    by_url: bool,
    told: &mut Told,
) -> Result<(), Failure> {
    const RULE: &str = "a failure in mid-stream";
    let Some(failing) = failing else {
        let why = "--failing names an object, or a payload, whose stream fails";
        told.note(RULE, Verdict::NotTried(why.to_owned()));
        return Ok(());
    };
    told.invocations += 1;
    let answer = caller.end_of(|invocation| failing.of(invocation)).await?;
    told.note(RULE, judge::failure(&answer, by_url));
    Ok(())
}
