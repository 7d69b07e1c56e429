//! One invocation from lease to end: in, an invocation and a place to run it; out, the function's
//! answer to the caller as it comes, and how it ended. This is where every ending is decided.

pub(crate) mod caller;

pub(crate) mod visitor;

mod flow;

use crate::fault::injection::{CourseFaults, Crash};
use crate::function::Function;
use crate::invocation::{ANSWERS_AHEAD, Answer, Ending, Failure, Invocation, Verdict};
use crate::limits::Limits;
use crate::log_tail::Report;
use crate::pool::{Lease, NoLease};
use crate::refusal::{Refusal, ThrottleReason};
use crate::stats::Running;
use bytes::Bytes;
use caller::Caller;
use flow::TooLarge;
use http::HeaderValue;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// What stands for "never" where a limit is off: a day.
const NO_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the caller asked, as each attempt hands it to an environment.
pub(crate) struct Call {
    pub(crate) request_id: String,
    pub(crate) arn: HeaderValue,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<HeaderValue>,
    pub(crate) tenant_id: Option<HeaderValue>,
    pub(crate) trace_id: HeaderValue,
}

/// One invocation under way.
pub(crate) struct Relay {
    pub(crate) call: Call,
    pub(crate) function: Arc<Function>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) caller: Caller,
    /// What is to go wrong, if anything is.
    pub(crate) faults: Option<Box<CourseFaults>>,
    /// Counts the invocation as running until the function is done with it.
    pub(crate) running: Running,
}

/// What became of an attempt.
struct Course {
    ending: Ending,
    /// When the runtime took the invocation, if it did.
    taken_at: Option<Instant>,
    /// More answers, if the function is not done although the caller is.
    unfinished: Option<mpsc::Receiver<Answer>>,
}

impl Relay {
    /// Runs the invocation to its end. The service owns this future, not the caller's connection: an
    /// invocation runs on when its caller is gone.
    pub(crate) async fn run(mut self, mut lease: Lease) {
        if let Some(cold) = self.faults.as_ref().and_then(|faults| faults.cold) {
            sleep(cold).await;
        }
        let course = loop {
            let course = self.attempt(&lease).await;
            // A warm environment may have died before it saw the invocation, which is no fault of
            // either. A fresh one that dies is at fault. Each turn uses up a dead environment.
            let unseen = course.taken_at.is_none() && matches!(course.ending, Ending::Exited(_));
            if !(lease.was_warm && unseen) {
                break course;
            }
            lease = match lease.replace() {
                Ok(other) => other,
                Err(none) => return self.run_nowhere(none).await,
            };
        };
        self.conclude(lease, course).await;
    }

    /// Ends the invocation for which there is no environment.
    pub(crate) async fn run_nowhere(self, none: NoLease) {
        drop(self.running);
        match none {
            NoLease::Limit => {
                self.caller.refuse(Refusal::throttled(ThrottleReason::ReservedConcurrency))
            }
            NoLease::NotStarted(err) => {
                let failure = Ending::NotStarted {
                    program: self.function.program.clone(),
                    error: err.kind(),
                };
                let failure = failure.failure(&self.call.request_id);
                self.caller.end(failure, Bytes::new()).await;
            }
        }
    }

    /// One environment's course with the invocation.
    async fn attempt(&mut self, lease: &Lease) -> Course {
        let (answers, mut coming) = mpsc::channel(ANSWERS_AHEAD);
        lease.environment.desk.deliver(self.invocation(answers));
        let patience = self.limits.init_timeout.unwrap_or(NO_TIMEOUT);
        let taken_at = match timeout(patience, coming.recv()).await {
            Ok(Some(Answer::Taken(at))) => at,
            never => {
                let exit = match never {
                    Ok(_) => lease.environment.exit_soon().await,
                    Err(_) => None,
                };
                let ending = never_taken(lease, exit, patience);
                return Course { ending, taken_at: None, unfinished: None };
            }
        };
        let deadline = taken_at + self.timeout();
        let ending = match timeout_at(deadline, self.follow(lease, &mut coming)).await {
            Ok(ending) => ending,
            Err(_) => Ending::TimedOut(self.timeout()),
        };
        let unfinished = matches!(ending, Ending::TooLarge { .. }).then_some(coming);
        Course { ending, taken_at: Some(taken_at), unfinished }
    }

    /// Passes answers on until there is an ending.
    async fn follow(&mut self, lease: &Lease, answers: &mut mpsc::Receiver<Answer>) -> Ending {
        if let Some(Crash::AtOnce) = self.crash() {
            return crash(lease, answers).await;
        }
        while let Some(answer) = answers.recv().await {
            match answer {
                Answer::Taken(_) => {}
                Answer::Begin { content_type } => {
                    self.caller.begin(content_type);
                    if let Some(Crash::After(0)) = self.crash() {
                        return crash(lease, answers).await;
                    }
                }
                Answer::Data(data) => match self.pass(data).await {
                    Err(overflow) => return Ending::TooLarge { limit: overflow.limit },
                    Ok(()) => {
                        if let Some(Crash::After(0)) = self.crash() {
                            return crash(lease, answers).await;
                        }
                    }
                },
                Answer::End { ending, verdict } => {
                    // The runtime may have left already.
                    let _ = verdict.send(Verdict::Accepted);
                    return ending;
                }
            }
        }
        cut_off(lease).await
    }

    /// Passes bytes on, as faults want them.
    async fn pass(&mut self, mut data: Bytes) -> Result<(), TooLarge> {
        let Some(faults) = &mut self.faults else { return self.caller.data(data).await };
        if let Some(Crash::After(left)) = &mut faults.crash {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= data.len() as u64;
        }
        let Some(payload) = faults.payload.as_mut().filter(|_| self.caller.listens()) else {
            return self.caller.data(data).await;
        };
        payload.push(data);
        while self.caller.listens()
            && let Some(piece) = payload.next()
        {
            self.caller.data(piece).await?;
        }
        Ok(())
    }

    fn crash(&self) -> Option<Crash> {
        self.faults.as_ref()?.crash
    }

    /// Tells the caller how it ended, and settles what the environment may do next.
    async fn conclude(self, lease: Lease, course: Course) {
        let Course { ending, taken_at, unfinished } = course;
        let request_id = &self.call.request_id;
        let deadline = taken_at.unwrap_or_else(Instant::now) + self.timeout();
        // Where others are at work, only this invocation's answer is refused from now on.
        let expired = matches!(ending, Ending::TimedOut(_)) && lease.is_shared();
        let spared = expired || ending.spares_environment();
        if expired {
            lease.environment.desk.expire(request_id);
        } else if !spared {
            lease.environment.kill();
        }
        let report = self.report(&lease, &ending, taken_at);
        let log_tail = lease.environment.log.end(request_id, &report).await;
        let failure = ending.failure(request_id);
        let Self { caller, faults, running, .. } = self;
        if let (Some(answers), Ending::TooLarge { limit }) = (unfinished, &ending) {
            // The caller learns it now; the function is heard out, because the service cancels none.
            let hear_out = async {
                if timeout_at(deadline, hear_out(answers, *limit)).await == Ok(true) {
                    lease.give_back();
                }
                drop(running);
            };
            tokio::join!(tell(caller, faults, failure, log_tail), hear_out);
            return;
        }
        // First the place, then the news: whoever invokes again on the news finds the place free.
        if spared {
            lease.give_back();
        } else {
            drop(lease);
        }
        drop(running);
        tell(caller, faults, failure, log_tail).await;
    }

    fn invocation(&self, answers: mpsc::Sender<Answer>) -> Invocation {
        let call = &self.call;
        Invocation {
            request_id: call.request_id.clone(),
            arn: call.arn.clone(),
            payload: call.payload.clone(),
            client_context: call.client_context.clone(),
            tenant_id: call.tenant_id.clone(),
            trace_id: call.trace_id.clone(),
            timeout: self.timeout(),
            answers,
        }
    }

    fn report(&self, lease: &Lease, ending: &Ending, taken_at: Option<Instant>) -> Report {
        let init = |at: Instant| at.saturating_duration_since(lease.environment.started_at);
        Report {
            duration: taken_at.map_or(Duration::ZERO, |at| at.elapsed()),
            init: taken_at.filter(|_| !lease.was_warm).map(init),
            memory_mb: self.function.memory_mb,
            status: ending.status(),
            timed_out: match ending {
                Ending::TimedOut(after) => Some(*after),
                _ => None,
            },
        }
    }

    fn timeout(&self) -> Duration {
        if let Some(asked) = self.faults.as_ref().and_then(|faults| faults.timeout) {
            return asked;
        }
        if self.limits.timeout { self.function.timeout } else { NO_TIMEOUT }
    }
}

/// Tells the caller how it ended, after what faults add to the payload.
async fn tell(
    mut caller: Caller,
    faults: Option<Box<CourseFaults>>,
    mut failure: Option<Failure>,
    log_tail: Bytes,
) {
    if let Some(mut payload) = faults.and_then(|faults| faults.payload) {
        caller.begin(None);
        if payload.finish(failure.is_none()) {
            failure = None;
        }
        while caller.listens()
            && let Some(piece) = payload.next()
        {
            if caller.data(piece).await.is_err() {
                break; // the limit holds for faults too
            }
        }
    }
    caller.end(failure, log_tail).await;
}

/// Kills the process as a fault wants it. What it says while it dies is not passed on.
async fn crash(lease: &Lease, answers: &mut mpsc::Receiver<Answer>) -> Ending {
    lease.environment.kill();
    while answers.recv().await.is_some() {}
    cut_off(lease).await
}

/// Why the answers ended without an end.
async fn cut_off(lease: &Lease) -> Ending {
    match lease.environment.exit_soon().await {
        Some(status) => Ending::Exited(status),
        None => Ending::Truncated,
    }
}

/// Why an environment never took its invocation.
fn never_taken(lease: &Lease, exit: Option<ExitStatus>, patience: Duration) -> Ending {
    match (lease.environment.desk.init_error(), exit) {
        (Some((error_type, details)), _) => Ending::Reported { error_type, details },
        (None, Some(status)) => Ending::Exited(status),
        (None, None) => Ending::InitTimedOut(patience),
    }
}

/// Reads the rest of an answer nobody wants. True if the function came to an end by itself.
async fn hear_out(mut answers: mpsc::Receiver<Answer>, limit: u64) -> bool {
    while let Some(answer) = answers.recv().await {
        if let Answer::End { verdict, .. } = answer {
            let _ = verdict.send(Verdict::TooLarge { limit });
            return true;
        }
    }
    false
}
