//! Downloads that end before they are whole come in; that they go on, or why not, comes out.

mod support;

use support::scripted::{Endpoint, chunk, complete, partial, stream};
use support::{CREDENTIALS, Home, pattern, sha256, sha256_of_file, until};

const MIB: u64 = 1024 * 1024;

/// A download that is held to the service's pace, once its first bytes are recorded.
fn begun(home: &Home, report: &str) -> support::Running {
    let line = format!("get local: 150MiB --no-segments -q -o out {report}");
    let mut running = home.invoker(&line).start();
    let header = home.path("out.part.journal");
    until("records in the journal", || {
        assert!(!running.has_ended(), "it ended too early");
        // The header has some 1,100 bytes, the record of 128 KiB some 40, and 6 MiB come at once.
        std::fs::metadata(&header).is_ok_and(|journal| journal.len() > 1_800)
    });
    running
}

#[cfg(unix)]
#[test]
fn a_signal_keeps_what_came_and_says_how_to_go_on() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let home = Home::new();
        let running = begun(&home, "--report report.json");
        running.signal(signal);
        running.wait().resumable(code, &[&format!("signal {}", code - 128)]);
        assert_eq!(home.names(), ["out.part", "out.part.journal", "report.json"], "{signal}");
        let report = home.json("report.json");
        assert_eq!(
            (&report["error"]["kind"], &report["resumable"]),
            (&"Signal".into(), &true.into())
        );

        let verified = home.run("verify out");
        assert_eq!(verified.code, Some(1), "{}", verified.stderr);
        assert!(String::from_utf8(verified.stdout).unwrap().contains("intact"));

        home.run("resume out -q --report report.json").succeeded();
        let report = home.json("report.json");
        let there = report["resumed_bytes"].as_u64().unwrap();
        assert!(there >= MIB, "{report}");
        assert_eq!(there + report["bytes"].as_u64().unwrap(), 150 * MIB);
        assert_eq!(home.names(), ["out", "report.json"], "{signal}");
        assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..150 * MIB)));
        home.run("verify out --report report.json").succeeded();
    }
}

#[cfg(unix)]
#[test]
fn a_signal_before_anything_came_leaves_nothing() {
    let home = Home::new();
    let service = Endpoint::stuck(Vec::new());
    let line = format!("get --endpoint-url {} f -q -o out", service.url);
    let running = home.invoker(&line).envs(&CREDENTIALS).start();
    until("a part file", || home.path("out.part").exists());
    running.signal("INT");
    running.wait().failed(130, &["signal 2"]);
    assert!(home.names().is_empty());
}

#[test]
fn the_same_get_goes_on_as_well() {
    let home = Home::new();
    drop(begun(&home, "")); // killed
    let there = home.read("out.part");
    assert!(!there.is_empty());
    // From another folder, by another name of the same file.
    let ran = home.run("get local: 150MiB -q -o ./out --report r.json").succeeded();
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    assert!(home.json("r.json")["resumed_bytes"].as_u64().unwrap() >= MIB);
    assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..150 * MIB)));
}

#[test]
fn what_cannot_be_continued_is_said_and_stays() {
    let home = Home::new();
    home.run("resume out").failed(8, &["no unfinished download", "out.part.journal"]);
    home.run("resume no/such/folder/out").failed(8, &["no unfinished download"]);
    assert!(home.names().is_empty());
    drop(begun(&home, ""));
    let journal = home.read("out.part.journal");
    for other in ["get local: 150MiB --range 1- -o out", "get local: 149MiB -o out"] {
        home.run(other).failed(8, &["out.part", "another download", "--restart"]);
    }
    home.write("folder/150MiB", "x");
    home.run("get local:folder 150MiB -o out").failed(8, &["another download"]);
    assert!(home.read("out.part.journal") == journal);

    home.write("out.part.journal", "milk, eggs, bread");
    home.run("get local: 150MiB -o out").failed(8, &["out.part.journal", "not a journal"]);
    home.run("resume out").failed(8, &["not a journal"]);
    let mut later = journal.clone();
    later[16] = 9;
    home.write("out.part.journal", &later);
    home.run("resume out").failed(8, &["format is 9"]);
    // Cut within its header: nothing was recorded yet.
    home.write("out.part.journal", &journal[..100]);
    home.run("resume out").failed(8, &["no unfinished download"]);
    home.run("get local: 5 -q -o out").succeeded();
    assert_eq!(home.names(), ["folder", "out"]);
}

/// An object of 10 bytes by segments of 5; all but the first call get `rest`.
fn ten(etag: &'static str, rest: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(move |number| match number {
        0 => stream(&[chunk(&[&partial(0, 4, 10, etag)[..], b"01234"].concat()), complete("{}")]),
        _ => rest(),
    })
}

#[test]
fn a_changed_object_is_not_spliced() {
    let home = Home::new();
    let get = |service: &Endpoint, more: &str| {
        let line = format!(
            "get --endpoint-url {} f -p {{}} -q -o out --segment-size 5 {more}",
            service.url
        );
        home.invoker(&line).envs(&CREDENTIALS).run()
    };
    let cut = ten("\"a\"", Vec::new);
    let ran = get(&cut, "--retries 0").resumable(1, &["broke the connection"]);
    assert!(ran.stderr.contains(&format!("--endpoint-url {}", cut.url)), "{}", ran.stderr);
    let b =
        || stream(&[chunk(&[&partial(5, 9, 10, "\"b\"")[..], b"56789"].concat()), complete("{}")]);
    let changed = Endpoint::start(move |_| b());
    get(&changed, "").resumable(6, &["version", "--restart"]);
    assert!(home.path("out.part.journal").exists());
    let a =
        || stream(&[chunk(&[&partial(5, 9, 10, "\"a\"")[..], b"56789"].concat()), complete("{}")]);
    let same = Endpoint::start(move |_| a());
    get(&same, "").succeeded();
    assert_eq!(home.read("out"), b"0123456789");
}

#[cfg(unix)]
#[test]
fn the_line_that_says_how_to_go_on_keeps_what_was_asked() {
    let home = Home::new();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let line = format!("--in-flight 3 --checksum {wrong}");
    let running = begun(&home, &line);
    running.signal("INT");
    let ran = running.wait().resumable(130, &[]);
    for word in ["--in-flight 3", &wrong, "--no-segments"] {
        assert!(ran.stderr.contains(word), "no {word} in {}", ran.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_started_to_ignore_a_signal_ignores_it() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_invoker");
    let script = format!(
        "trap '' HUP; '{program}' get local: 9MiB -q -o out & child=$!; kill -HUP $child; wait $child"
    );
    let ran = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(home.path(""))
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(std::fs::metadata(home.path("out")).unwrap().len(), 9 * MIB);
}

#[cfg(unix)]
#[test]
fn stdout_by_another_name_is_not_replaced() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_invoker");
    let script =
        format!("(echo before; '{program}' get local: 9 -q -o /dev/stdout; echo after) > log");
    let ran = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(home.path(""))
        .status()
        .unwrap();
    assert!(ran.success());
    let expected = [b"before\n", &pattern(0..9)[..], b"after\n"].concat();
    assert_eq!(home.read("log"), expected);
}

#[cfg(unix)]
#[test]
fn a_report_does_not_take_the_place_of_the_result() {
    let home = Home::new();
    home.write("real", "");
    std::os::unix::fs::symlink("real", home.path("link")).unwrap();
    for report in ["real", "real.part", "real.part.journal"] {
        home.run(&format!("get local: 9 -q -o link --report {report}")).failed(2, &["both"]);
    }
}

/// A limit on the size of files stands in for a full disk: the system refuses the write.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_what_fits_is_kept() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_invoker");
    // In blocks of 512 bytes: 10 MiB.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 20480; exec '{program}' get local: 30MiB --in-flight 1 -q -o out"
    );
    let ran = std::process::Command::new("sh")
        .args(["-c", &limited])
        .current_dir(home.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(9), "{stderr}");
    assert!(stderr.contains("cannot write") && stderr.contains("invoker resume out"), "{stderr}");
    home.run("resume out -q --report r.json").succeeded();
    assert!(home.json("r.json")["resumed_bytes"].as_u64().unwrap() >= 9 * MIB);
    assert_eq!(sha256_of_file(&home.path("out")), sha256(&pattern(0..30 * MIB)));
}

#[test]
fn files_are_verified_without_calling_anything() {
    let home = Home::new();
    home.write("out", "123456789");
    let crc = "crc64nvme:ae8b14860a799888";
    let sha = format!("sha256:{}", sha256(b"123456789"));
    for sum in [crc, "crc64nvme:rosUhgp5mIg=", &sha] {
        let ran = home.run(&format!("verify out --checksum {sum}")).succeeded();
        assert!(String::from_utf8(ran.stdout).unwrap().contains("verified"));
    }
    let wrong = format!("sha256:{}", "0".repeat(64));
    home.run(&format!("verify out --checksum {wrong}")).failed(5, &["out", &sha, &wrong]);
    let ran = home.run("verify out");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("nothing to compare") && ran.stdout.starts_with(b"out: 9 bytes"));
    home.run("verify other").failed(8, &["other"]);
    home.run("verify out --checksum md5:0").failed_usage("sha256:");
    home.write("r.json", "{}");
    home.run("verify out --report r.json").failed(2, &["r.json", "no report"]);

    home.run(&format!("get local: 9 -q -o nine --checksum {crc}")).failed(5, &["crc64nvme:"]);
    assert!(!home.path("nine").exists() && !home.path("nine.part").exists());
    let own = format!("sha256:{}", sha256(&pattern(0..9)));
    home.run(&format!("get local: 9 -q -o nine --report r.json --checksum {own}")).succeeded();
    assert!(home.json("r.json")["integrity"]["algorithm"].as_str().unwrap().contains("SHA-256"));
    home.run(&format!("cat local: 9 -q --checksum {own}")).succeeded();
    home.run(&format!("cat local: 9 -q --checksum {wrong}")).failed_with_data(5);
}
