//! Bytes that mean harm go in; nothing comes out, or a panic that names the promise they broke.
//!
//! One function for each target of `fuzz/`. The fuzzer calls them with inputs of its own; the tests
//! below replay the committed corpora through the very same functions, on every run. Only these two
//! builds have this module.

mod range;

mod request;

pub use range::range;
pub use request::request;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Every input of the corpus of `target`, which must have some.
    fn replay(target: &str, run: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).expect("the corpus is committed") {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display()); // shown when a promise is broken
            run(&std::fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", folder.display());
    }

    #[test]
    fn the_corpus_of_range_breaks_no_promise() {
        replay("range", super::range);
    }

    #[test]
    fn the_corpus_of_request_breaks_no_promise() {
        replay("request", super::request);
    }
}
