//! The name of a variable comes in; its value goes out, if whoever runs the gateway has set it.

use std::fmt;
use std::sync::Arc;

/// The variables of whoever runs the gateway. None, unless it was said where they are.
#[derive(Clone, Default)]
pub(crate) struct Environment(Option<Arc<Look>>);

type Look = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    pub(crate) fn new(look: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// What the variable says. An empty one says nothing.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.0.as_ref().and_then(|look| look(name)).filter(|value| !value.is_empty())
    }
}

/// Never a value: some are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
