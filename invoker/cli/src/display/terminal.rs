//! A terminal goes in; the same comes out, a little narrower.
//!
//! A bar takes the whole width, and leaves the cursor at its end. What the terminal itself writes there
//! for Ctrl-C would begin a new line, which then is cleared in place of the bar.

use std::io;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// Columns for `^C`, and the one that a cursor needs.
const LEFT_FREE: u16 = 3;

/// Where a bar is drawn.
pub(super) fn stderr() -> ProgressDrawTarget {
    narrower(Term::stderr())
}

pub(super) fn narrower(terminal: impl TermLike + 'static) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(Narrower(terminal)))
}

#[derive(Debug)]
struct Narrower<T>(T);

impl<T: TermLike> TermLike for Narrower<T> {
    fn width(&self) -> u16 {
        self.0.width().saturating_sub(LEFT_FREE).max(1)
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
