//! Processes as the kernel tells of them: CPU time, memory, cores (proc(5)).

use std::fs;
use std::process::{Command, Stdio};

/// Ticks of the kernel's clock in a second, as user space sees it.
const TICKS: u64 = 100;

/// CPU time of a process so far, and that of its children that have ended, in microseconds.
pub fn cpu(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    read_cpu(&stat)
}

fn read_cpu(stat: &str) -> u64 {
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0 };
    // utime, stime, cutime and cstime are fields 14 to 17; the first after the name is 3.
    let fields = rest.split_ascii_whitespace().skip(11).take(4);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * (1_000_000 / TICKS)
}

/// The same of a process and all that descend from it.
pub fn cpu_of_tree(root: u32) -> u64 {
    cpu(root) + children(root).into_iter().map(cpu_of_tree).sum::<u64>()
}

/// The processes that `parent` started.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Who started a process.
pub fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The words a process was started with.
pub fn command_line(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.split('\0').map(str::to_owned).collect()
}

/// Resident memory in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}

/// Which core whom runs on: the server has one to itself, everything else has another. With a single core, or where a
/// run is not for its times, nobody is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    pinned: bool,
}

impl Cores {
    /// As many as this machine has.
    pub fn split(wanted: bool) -> Self {
        Self { pinned: wanted && std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) }
    }

    /// Whether each has its own.
    pub const fn pinned(self) -> bool {
        self.pinned
    }

    /// Puts all threads of a process on the server's core.
    pub fn give_server(self, pid: u32) {
        self.give(pid, "0");
    }

    /// Puts all threads of a process on the other core.
    pub fn give_others(self, pid: u32) {
        self.give(pid, "1");
    }

    /// The same of a process and all that descend from it.
    pub fn give_others_tree(self, root: u32) {
        self.give_others(root);
        for pid in children(root) {
            self.give_others_tree(pid);
        }
    }

    /// A command that runs on the server's core from its start.
    pub fn server_command(self, program: &std::path::Path) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", "0"]).arg(program);
        command
    }

    fn give(self, pid: u32, core: &str) {
        if !self.pinned {
            return;
        }
        let mut command = Command::new("taskset");
        command.args(["--all-tasks", "--cpu-list", "--pid", core]).arg(pid.to_string());
        // Of another user's process the kernel keeps the cores; it then shares them with the server.
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_name_with_parentheses() {
        let stat = "25900 (a (b) c) R 25894 25894 17209 0 -1 4194304 99 0 0 0 12 34 5 6 20 0 1 0 7378227 3133440 384";
        assert_eq!(read_cpu(stat), (12 + 34 + 5 + 6) * 10_000);
        assert_eq!(read_cpu(""), 0);
    }

    #[test]
    fn this_process_has_a_parent_and_memory() {
        let own = std::process::id();
        assert!(children(parent_of(own).expect("a parent")).contains(&own));
        assert!(resident(own) > 1 << 20 && !command_line(own)[0].is_empty());
    }
}
