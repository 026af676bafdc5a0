//! What the operating system says of this process. Elsewhere than on Linux nobody is asked.

use std::{fs, time::Duration};

/// The parts of a second that `/proc` counts in: `USER_HZ`, which is 100 on every processor that Rectify is built for.
const TICKS_A_SECOND: u64 = 100;
const KIB: u64 = 1024;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Memory in use, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// Time of the processor.
    pub(super) cpu: Option<Duration>,
    /// Open files and sockets.
    pub(super) open_files: Option<u64>,
}

impl Usage {
    pub(super) fn now() -> Usage {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let open_files = fs::read_dir("/proc/self/fd").ok();
        Usage {
            resident_bytes: resident_bytes(&read("/proc/self/status")),
            cpu: cpu(&read("/proc/self/stat")),
            open_files: open_files.map(|files| u64::try_from(files.count()).unwrap_or(u64::MAX)),
        }
    }
}

/// `VmRSS` of `/proc/PID/status`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * KIB)
}

/// User and system time of `/proc/PID/stat`: its 14th and 15th words, counted behind the name, which may hold anything.
fn cpu(stat: &str) -> Option<Duration> {
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || words.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says() {
        assert_eq!(resident_bytes("VmSize:\t  900 kB\nVmRSS:\t   123 kB\n"), Some(123 * 1024));
        assert_eq!(resident_bytes(""), None);
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu("nothing"), None);
    }
}
