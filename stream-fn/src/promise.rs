//! The length that a head promises comes in, and those of the bytes behind it; a failure goes out where
//! they do not fit.

use crate::failure::Failure;

/// A promised length, if there is one, and how far it is kept.
#[derive(Debug)]
pub(crate) struct Promise {
    left: Option<u64>,
    kept: u64,
}

impl Promise {
    pub(crate) fn of(promised: Option<u64>) -> Self {
        Self { left: promised, kept: 0 }
    }

    /// How many bytes there were so far.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    /// Counts the next bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<(), Failure> {
        let length = length as u64;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(length).ok_or_else(|| {
                let promised = self.kept + *left;
                let words = format!("the body is longer than the {promised} bytes promised");
                Failure::new("BodyTooLong", words)
            })?;
        }
        self.kept += length;
        Ok(())
    }

    /// There are no more.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        match self.left {
            Some(left) if left > 0 => {
                let (kept, promised) = (self.kept, self.kept + left);
                let words = format!("the body ended at {kept} of {promised} bytes promised");
                Err(Failure::new("BodyTooShort", words))
            }
            _ => Ok(()),
        }
    }
}
