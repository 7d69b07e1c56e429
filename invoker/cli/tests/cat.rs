//! `invoker cat`, and `-o` with what is no file, come in; nothing but data comes out of stdout, in
//! order, for readers who stay and for readers who leave.

mod support;

use std::io::Read;

use support::{Home, pattern, sha256};

const MIB: u64 = 1 << 20;

#[test]
fn stdout_has_the_data_and_nothing_else() {
    let home = Home::new();
    let expected = sha256(&pattern(0..32 * MIB));
    for line in [
        "cat local: 32MiB",
        "get local: 32MiB -o -",
        "get local: 32MiB --output=- --segment-size 300KiB",
        "cat local: 32MiB --memory-limit 1MiB",
        "cat local: 32MiB --in-flight 1 --segment-size 1MiB",
    ] {
        let ran = home.run(line).succeeded();
        assert_eq!(ran.stdout.len() as u64, 32 * MIB, "{line}");
        assert_eq!(sha256(&ran.stdout), expected, "{line}");
        assert!(ran.stderr.contains("32MiB: 32.00 MiB in "), "{line}: {}", ran.stderr);
    }
    assert!(home.names().is_empty(), "{:?}", home.names());
}

#[test]
fn one_stream_in_order() {
    let home = Home::new();
    let ran = home.run("cat local: 4MiB --no-segments").succeeded();
    assert!(ran.stdout == pattern(0..4 * MIB));
    assert!(ran.stderr.contains("one stream"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_device_is_written_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let home = Home::new();
    home.run("get local: 6MiB -o /dev/null").succeeded();
    let metadata = std::fs::metadata("/dev/null").unwrap();
    assert!(metadata.file_type().is_char_device());
    assert!(!std::path::Path::new("/dev/null.part").exists());
}

#[test]
fn a_reader_who_leaves_ends_it_quietly() {
    let home = Home::new();
    for line in ["cat local: 64MiB", "cat local: 64MiB --no-segments", "cat local: 64MiB -q"] {
        let mut running = home.invoker(line).start();
        let mut first = vec![0; 100];
        running.stdout().read_exact(&mut first).unwrap();
        assert_eq!(first, pattern(0..100));
        // The pipe is closed by now.
        let ran = running.wait();
        assert_eq!(ran.code, Some(141), "{line}");
        assert_eq!(ran.stderr, "", "{line}");
    }
}

#[test]
fn a_failure_gives_no_data() {
    let home = Home::new();
    let ran = home.run("cat local: no-size").failed(3, &["404"]);
    assert!(ran.stdout.is_empty());
}
