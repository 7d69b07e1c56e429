//! How a process ended goes in; the service's words for it come out.

use std::process::ExitStatus;

/// "exit status 3" or "signal: 9", as the service names them.
#[cfg(unix)]
pub(super) fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "unknown status".into(),
    }
}

/// "exit status 3", the only thing there is elsewhere.
#[cfg(not(unix))]
pub(super) fn words(status: ExitStatus) -> String {
    status.code().map_or("unknown status".into(), numbered)
}

/// What ended in a fault of the system has a large number, known by its hexadecimal digits; Go, which
/// the service's own supervisor is written in, names those so from 2^16 on (`os/exec_posix.go`).
#[cfg(any(not(unix), test))]
fn numbered(code: i32) -> String {
    const LARGE: u32 = 1 << 16;
    match code.cast_unsigned() {
        fault @ LARGE.. => format!("exit status {fault:#x}"),
        small => format!("exit status {small}"),
    }
}

/// The status of a process that ended with a code.
#[cfg(test)]
pub(super) fn of_code(code: u8) -> ExitStatus {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::from_raw(i32::from(code) << 8);
    #[cfg(windows)]
    return std::os::windows::process::ExitStatusExt::from_raw(u32::from(code));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_named_as_the_service_names_them() {
        assert_eq!(words(of_code(0)), "exit status 0");
        assert_eq!(words(of_code(255)), "exit status 255");
        assert_eq!(numbered(3), "exit status 3");
        assert_eq!(numbered(0xc000_0005_u32.cast_signed()), "exit status 0xc0000005");
        assert_eq!(numbered(-1), "exit status 0xffffffff");
    }

    #[cfg(unix)]
    #[test]
    fn signals_are_named_by_their_numbers() {
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(words(ExitStatus::from_raw(9)), "signal: 9");
    }
}
