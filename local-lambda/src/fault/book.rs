//! The faults that are set: in, rules, a choice, and the invocations as they come; out, what goes
//! wrong with each.

use super::{Fault, FaultRule};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is known of an invocation when its faults are chosen.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The function's name.
    pub function: &'a str,
    /// Which invocation of this function it is, from 1, counted from when the choice was set.
    pub number: u64,
    /// The range that the caller asks for: `custom.range` of the client context.
    pub range: Option<&'a str>,
    /// Whether the operation is `InvokeWithResponseStream`.
    pub streamed: bool,
}

/// Chooses the faults of an invocation.
pub(crate) type Choice = Arc<dyn Fn(&Asked<'_>) -> Vec<Fault> + Send + Sync>;

/// The faults of a service.
#[derive(Default)]
pub(crate) struct Book {
    /// Whether there is any: all that an invocation pays where there is none.
    any: AtomicBool,
    set: Mutex<Set>,
}

#[derive(Default)]
struct Set {
    rules: Vec<(FaultRule, Count)>,
    choice: Option<(Choice, Count)>,
}

/// What was counted since something was set.
#[derive(Default)]
struct Count {
    invocations: HashMap<String, u64>,
    taken: u64,
}

impl Count {
    fn next(&mut self, function: &str) -> u64 {
        let number = self.invocations.entry(function.into()).or_default();
        *number += 1;
        *number
    }
}

impl Book {
    pub(crate) fn add(&self, rule: FaultRule) {
        let mut set = self.set();
        set.rules.push((rule, Count::default()));
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn choose(&self, choice: Choice) {
        let mut set = self.set();
        set.choice = Some((choice, Count::default()));
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut set = self.set();
        *set = Set::default();
        self.any.store(false, Ordering::Release);
    }

    /// The faults of the next invocation, in the order in which they were set; chosen ones are last.
    /// `range` is asked for only if there is somebody to tell.
    pub(crate) fn draw(
        &self,
        function: &str,
        streamed: bool,
        range: impl FnOnce() -> Option<String>,
    ) -> Vec<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut faults = Vec::new();
        let mut set = self.set();
        for (rule, count) in &mut set.rules {
            let number = count.next(function);
            if count.taken < rule.times && rule.holds(function, number) {
                count.taken += 1;
                faults.push(rule.fault.clone());
            }
        }
        let choice = set.choice.as_mut().map(|(choice, count)| {
            let number = count.next(function);
            (Arc::clone(choice), number)
        });
        // What is not ours runs without our lock.
        drop(set);
        if let Some((choice, number)) = choice {
            let range = range();
            faults.extend(choice(&Asked { function, number, range: range.as_deref(), streamed }));
        }
        faults
    }

    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book").field("any", &self.any).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_each_function_by_itself_and_their_times_over_all() {
        let book = Book::default();
        let draw = |function| book.draw(function, true, || None).len();
        assert_eq!(draw("f"), 0);
        book.add(FaultRule::new(Fault::NoComplete).on(2..=2));
        book.add(FaultRule::new(Fault::NoHead).times(2));
        assert_eq!([draw("f"), draw("g"), draw("f"), draw("g")], [1, 1, 1, 1]);
        assert_eq!(draw("g"), 0);
        book.clear();
        assert_eq!(draw("f"), 0);
        // From when it was set.
        book.add(FaultRule::new(Fault::NoComplete).on(2..=2));
        assert_eq!([draw("f"), draw("f"), draw("f")], [0, 1, 0]);
    }

    #[test]
    fn a_choice_is_told_what_is_asked() {
        let book = Book::default();
        book.choose(Arc::new(|asked| {
            assert_eq!((asked.function, asked.streamed), ("f", true));
            match (asked.number, asked.range) {
                (2, Some("bytes=0-1")) => vec![Fault::NoHead, Fault::NoComplete],
                _ => Vec::new(),
            }
        }));
        let draw = |range: Option<&str>| book.draw("f", true, || range.map(Into::into));
        assert_eq!(draw(Some("bytes=0-1")), []);
        assert_eq!(draw(Some("bytes=0-1")), [Fault::NoHead, Fault::NoComplete]);
        assert_eq!(draw(None), []);
    }
}
