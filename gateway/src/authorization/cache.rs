//! Sums of identities come in; answers that were kept go out, or one call that all wait for who ask at the
//! same time. Failures are not kept.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::identity::Sum;
use super::{Failed, Source};

/// One call, which whoever waits for it drives.
type Call<V> = Shared<BoxFuture<'static, Result<Arc<V>, Failed>>>;

/// Answers by identity: at most a number of them, each for at most a time.
pub(super) struct Cache<V> {
    state: Arc<Mutex<State<V>>>,
    ttl: Duration,
}

struct State<V> {
    slots: HashMap<Sum, Slot<V>>,
    /// What is kept, in the order in which it ends, which is that of the calls: all are kept equally long.
    order: VecDeque<(Instant, Sum)>,
    max: usize,
    /// Told apart, so that what is left of one call takes nothing from the next.
    calls: u64,
}

enum Slot<V> {
    Kept {
        value: Arc<V>,
        until: Instant,
    },
    /// Held by those who wait. When the last one goes, the call ends.
    Under {
        call: WeakShared<BoxFuture<'static, Result<Arc<V>, Failed>>>,
        number: u64,
    },
}

impl<V: Send + Sync + 'static> Cache<V> {
    pub(super) fn new(ttl: Duration, max: usize) -> Self {
        let state = State { slots: HashMap::new(), order: VecDeque::new(), max, calls: 0 };
        Self { state: Arc::new(Mutex::new(state)), ttl }
    }

    /// What is known of this identity. `call` is made if that is nothing; `keeps` says what may be kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the call to those who wait as well, and ends it if nobody does.
    pub(super) async fn get<F>(
        &self,
        sum: Sum,
        now: Instant,
        call: impl FnOnce() -> F,
        keeps: fn(&V) -> bool,
    ) -> (Result<Arc<V>, Failed>, Source)
    where
        F: Future<Output = Result<V, Failed>> + Send + 'static,
    {
        let (shared, source) = {
            let mut state = locked(&self.state);
            state.forget(now);
            match state.known(&sum, now) {
                Some(Known::Value(value)) => return (Ok(value), Source::Kept),
                Some(Known::Call(shared)) => (shared, Source::Kept),
                None => {
                    let number = state.calls;
                    state.calls += 1;
                    let ending = Ending { state: Arc::clone(&self.state), sum, number };
                    let until = now + self.ttl;
                    let call = call();
                    let shared = async move {
                        let answer = call.await.map(Arc::new);
                        let kept = answer.as_ref().ok().filter(|value| keeps(value));
                        ending.with(kept.map(|value| (Arc::clone(value), until)));
                        answer
                    };
                    let shared: Call<V> = shared.boxed().shared();
                    if let Some(call) = shared.downgrade() {
                        state.slots.insert(sum, Slot::Under { call, number });
                    }
                    (shared, Source::Asked)
                }
            }
        };
        (shared.await, source)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        locked(&self.state).slots.len()
    }
}

enum Known<V> {
    Value(Arc<V>),
    Call(Call<V>),
}

impl<V> State<V> {
    fn known(&self, sum: &Sum, now: Instant) -> Option<Known<V>> {
        match self.slots.get(sum)? {
            Slot::Kept { value, until } if now < *until => Some(Known::Value(Arc::clone(value))),
            Slot::Kept { .. } => None,
            Slot::Under { call, .. } => call.upgrade().map(Known::Call),
        }
    }

    /// Lets go what is kept no longer.
    fn forget(&mut self, now: Instant) {
        while let Some((until, _)) = self.order.front()
            && *until <= now
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((of, sum)) = self.order.pop_front() else { return };
        // A later answer may stand in its place by now.
        if matches!(self.slots.get(&sum), Some(Slot::Kept { until, .. }) if *until == of) {
            self.slots.remove(&sum);
        }
    }

    fn keep(&mut self, sum: Sum, value: Arc<V>, until: Instant) {
        while self.order.len() >= self.max {
            self.drop_first();
        }
        // Calls end in another order than they began, by a little.
        let at = self.order.partition_point(|(earlier, _)| *earlier <= until);
        self.order.insert(at, (until, sum));
        self.slots.insert(sum, Slot::Kept { value, until });
    }
}

/// Takes a call off the book, however it ends.
struct Ending<V> {
    state: Arc<Mutex<State<V>>>,
    sum: Sum,
    number: u64,
}

impl<V> Ending<V> {
    fn with(self, kept: Option<(Arc<V>, Instant)>) {
        if let Some((value, until)) = kept {
            locked(&self.state).keep(self.sum, value, until);
        }
    }
}

impl<V> Drop for Ending<V> {
    fn drop(&mut self) {
        let mut state = locked(&self.state);
        let mine =
            |slot: &Slot<V>| matches!(slot, Slot::Under { number, .. } if *number == self.number);
        if state.slots.get(&self.sum).is_some_and(mine) {
            state.slots.remove(&self.sum);
        }
    }
}

/// What a panic left behind is still whole: nothing in here panics half-way.
fn locked<V>(state: &Mutex<State<V>>) -> MutexGuard<'_, State<V>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);
    const MAX: usize = 3;

    /// Answers with how often it was asked.
    #[derive(Default)]
    struct Asked(Arc<AtomicUsize>);

    impl Asked {
        fn call(&self) -> impl Future<Output = Result<usize, Failed>> + Send + 'static + use<> {
            let asked = Arc::clone(&self.0);
            async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(asked.fetch_add(1, Ordering::SeqCst) + 1)
            }
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn yes(_: &usize) -> bool {
        true
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_time_and_no_longer() {
        let (cache, asked, start) = (Cache::new(TTL, MAX), Asked::default(), Instant::now());
        let at = async |after: Duration| {
            let (answer, source) = cache.get([1; 32], start + after, || asked.call(), yes).await;
            (*answer.unwrap(), source)
        };
        assert_eq!(at(Duration::ZERO).await, (1, Source::Asked));
        assert_eq!(at(TTL - Duration::from_nanos(1)).await, (1, Source::Kept));
        assert_eq!(at(TTL).await, (2, Source::Asked));
        assert_eq!(at(TTL + TTL / 2).await, (2, Source::Kept));
    }

    #[tokio::test]
    async fn those_who_ask_at_once_share_a_call() {
        let (cache, asked, now) = (Cache::new(TTL, MAX), Asked::default(), Instant::now());
        let asks = (0..20).map(|n| cache.get([n % 2; 32], now, || asked.call(), yes));
        let answers = join_all(asks).await;
        assert_eq!(asked.count(), 2);
        let first = answers.iter().filter(|(_, source)| *source == Source::Asked).count();
        assert_eq!(first, 2);
    }

    #[tokio::test]
    async fn a_call_goes_on_without_who_began_it_and_ends_without_all() {
        let (cache, asked, now) = (Cache::new(TTL, MAX), Asked::default(), Instant::now());
        let mut first = Box::pin(cache.get([1; 32], now, || asked.call(), yes));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(cache.get([1; 32], now, || asked.call(), yes));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(*second.await.0.unwrap(), 1);

        let mut alone = Box::pin(cache.get([2; 32], now, || asked.call(), yes));
        assert!(futures_util::poll!(&mut alone).is_pending());
        assert_eq!(cache.len(), 2);
        drop(alone);
        assert_eq!((cache.len(), asked.count()), (1, 1));
    }

    #[tokio::test]
    async fn failures_and_what_may_not_be_kept_are_not_kept() {
        let (cache, now) = (Cache::<usize>::new(TTL, MAX), Instant::now());
        for _ in 0..2 {
            let failing = || async { Err(Failed::TimedOut) };
            let (answer, source) = cache.get([1; 32], now, failing, yes).await;
            assert_eq!((answer, source), (Err(Failed::TimedOut), Source::Asked));
            assert_eq!(cache.len(), 0);
        }
        let (_, source) = cache.get([1; 32], now, || async { Ok(7) }, |_| false).await;
        assert_eq!((source, cache.len()), (Source::Asked, 0));
    }

    #[tokio::test]
    async fn there_are_never_more_than_may_be() {
        let (cache, asked, start) = (Cache::new(TTL, MAX), Asked::default(), Instant::now());
        for n in 0..50_u8 {
            let now = start + Duration::from_secs(n.into());
            let _ = cache.get([n; 32], now, || asked.call(), yes).await;
            assert!(cache.len() <= MAX);
        }
        // The oldest went first.
        let now = start + Duration::from_secs(50);
        let (_, source) = cache.get([49; 32], now, || asked.call(), yes).await;
        assert_eq!(source, Source::Kept);
        let (_, source) = cache.get([40; 32], now, || asked.call(), yes).await;
        assert_eq!(source, Source::Asked);
    }
}
