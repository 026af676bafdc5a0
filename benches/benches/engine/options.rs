//! What the command line asks for.

use std::{path::PathBuf, time::Duration};

use crate::machines::Machine;

const USAGE: &str = "options, each may be repeated or hold a list with commas:
  --way process,http   --type standard,express   --machine passes,tasks,map,parallel,intrinsics,jsonata
  --clients 1,8,64     --seconds 2               --server target/release/rectify";

/// A way to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a library.
    Process,
    /// The API of the binary, running as a process of its own.
    Http,
}

impl Way {
    pub fn title(self) -> &'static str {
        match self {
            Way::Process => "process",
            Way::Http => "HTTP",
        }
    }
}

/// What is to be measured.
pub struct Options {
    pub ways: Vec<Way>,
    /// Whether Express.
    pub types: Vec<bool>,
    pub machines: Vec<Machine>,
    pub clients: Vec<u32>,
    pub time: Duration,
    pub server: PathBuf,
}

impl Options {
    pub fn read() -> Options {
        let mut options = Options {
            ways: Vec::new(),
            types: Vec::new(),
            machines: Vec::new(),
            clients: Vec::new(),
            time: Duration::from_secs(2),
            // Beside this benchmark, which is `target/release/deps/engine-…`.
            server: std::env::current_exe().unwrap().with_file_name("../rectify"),
        };
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let values = arguments.next().unwrap_or_default();
            for value in values.split(',') {
                assert!(options.take(&name, value), "`{name} {value}`: {USAGE}");
            }
        }
        fill(&mut options.ways, &[Way::Process, Way::Http]);
        fill(&mut options.types, &[false, true]);
        fill(&mut options.machines, &Machine::ALL);
        fill(&mut options.clients, &[1, 8, 64]);
        options
    }

    /// Whether it is a value of the option.
    fn take(&mut self, name: &str, value: &str) -> bool {
        match (name, value) {
            ("--way", "process") => self.ways.push(Way::Process),
            ("--way", "http") => self.ways.push(Way::Http),
            ("--type", "standard") => self.types.push(false),
            ("--type", "express") => self.types.push(true),
            ("--machine", value) => match Machine::ALL.into_iter().find(|machine| machine.name() == value) {
                Some(machine) => self.machines.push(machine),
                None => return false,
            },
            ("--clients", value) => match value.parse() {
                Ok(clients) => self.clients.push(clients),
                Err(_) => return false,
            },
            ("--seconds", value) => match value.parse() {
                Ok(seconds) => self.time = Duration::from_secs_f64(seconds),
                Err(_) => return false,
            },
            ("--server", value) => self.server = value.into(),
            _ => return false,
        }
        true
    }
}

fn fill<T: Clone>(chosen: &mut Vec<T>, all: &[T]) {
    if chosen.is_empty() {
        chosen.extend_from_slice(all);
    }
}
