//! What was typed about words goes in; what is to be said while it goes, and at its end, comes out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is said, and where. Data has stdout or its file to itself: all of this goes to stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = "Words, all on stderr")]
pub(crate) struct Words {
    /// auto, bar, plain, json or none; auto is a bar on a terminal, else plain
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        default_value_t = ShowProgress::Auto,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(crate) progress: ShowProgress,
    /// Tell the end, good or bad, as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what was done, or why it failed, into a file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowProgress {
    /// A bar on a terminal, else plain; nothing with --json
    Auto,
    /// A bar, on a terminal and without -v; else plain
    Bar,
    /// A line every 10 seconds
    Plain,
    /// A line of JSON every second, and the result as one
    Json,
    /// Nothing until the end
    None,
}
