//! Executions of six machines: Standard and Express, as a library in this process and through the API of the binary, with a few
//! clients and with many. Beside them, in the same run, what SQLite's group commit allows for the rows of the Standard ones.
//!
//! `benches/README.md` says how to run it and how to read it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and ends when it fails"
)]

mod client;
mod ends;
mod floor;
mod load;
mod machines;
mod options;
mod process;
mod steps;
mod ways;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use self::{
    floor::Sample,
    load::{Ask, Measured, load},
    machines::Machine,
    options::{Options, Way},
    process::Process,
    ways::{Api, Library},
};

/// What others reach where this was first measured, beside 39,000 rows a second of SQLite at 100 rows a commit: who, the machine,
/// clients, executions a second.
const OTHERS: [(&str, Machine, u32, f64); 4] = [
    ("Restate 1.7", Machine::Tasks, 64, 252.0),
    ("Restate 1.7", Machine::Tasks, 1, 75.0),
    ("Temporal's server on SQLite", Machine::Tasks, 64, 20.0),
    ("LocalStack's interpreter (not durable)", Machine::Passes, 64, 41.0),
];

/// What is measured once: a machine, its type, a way, so many clients.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell {
    way: Way,
    is_express: bool,
    machine: Machine,
    clients: u32,
}

struct Run {
    options: Options,
    floors: HashMap<(&'static str, u32), Measured>,
    results: Vec<(Cell, f64)>,
}

#[tokio::main]
async fn main() {
    let options = Options::read();
    let mut run = Run { options, floors: HashMap::new(), results: Vec::new() };
    println!(
        "way      type      machine                  clients   executions/s  transitions/s   p50 ms   p99 ms   CPU µs each   peak MB   of the floor"
    );
    for way in run.options.ways.clone() {
        for is_express in run.options.types.clone() {
            for machine in run.options.machines.clone() {
                for clients in run.options.clients.clone() {
                    run.measure(Cell { way, is_express, machine, clients }).await;
                }
            }
        }
    }
    run.compare();
    println!("\nOf one execution, on one core and without a store:");
    for machine in run.options.machines.iter().filter(|machine| **machine != Machine::Tasks) {
        let (deciding, serializing) = steps::decided_and_serialized(*machine);
        println!("  {:<24} {deciding:>5.0} µs deciding, {serializing:>5.0} µs serializing", machine.title());
    }
}

impl Run {
    async fn measure(&mut self, cell: Cell) {
        // Each with a store of its own, so that none pays for what another wrote.
        match cell.way {
            Way::Process => {
                let library = Library::start().await;
                let clients = async || library.clients(cell.machine, cell.is_express, cell.clients).await;
                self.measure_with(cell, &library.process(), library.store(), clients).await;
            }
            Way::Http => {
                let api = Api::start(&self.options.server);
                let idle = api.process().resident();
                let clients = async || api.clients(cell.machine, cell.is_express, cell.clients).await;
                self.measure_with(cell, &api.process(), api.store(), clients).await;
                if self.results.len() == 1 {
                    println!("         (the server held {idle:.1} MB before its first request)");
                }
            }
        }
    }

    async fn measure_with<A: Ask>(
        &mut self,
        cell: Cell,
        process: &Process,
        store: PathBuf,
        clients: impl AsyncFn() -> Vec<A>,
    ) {
        let time = self.options.time;
        // One for the caches, and to see that it succeeds.
        clients().await.first_mut().unwrap().ask(0).await;
        let measured = load(clients().await, None, time, process).await;
        let half = if cell.machine == Machine::Passes && !cell.is_express && cell.clients > 1 {
            let pace = Duration::from_secs_f64(f64::from(cell.clients) / (measured.per_second / 2.0));
            Some(load(clients().await, Some(pace), time, process).await)
        } else {
            None
        };
        let floor = if cell.is_express { None } else { Some(self.floor(cell, store).await) };
        cell.print(&measured, floor);
        if let Some(half) = half {
            cell.print(&half, None);
        }
        self.results.push((cell, measured.per_second));
    }

    /// Executions a second by SQLite alone.
    async fn floor(&mut self, cell: Cell, store: PathBuf) -> f64 {
        let key = (cell.machine.name(), cell.clients);
        if !self.floors.contains_key(&key) {
            let sample = Sample::of(&store);
            let measured = floor::floor(&sample, cell.clients, self.options.time / 2).await;
            let what = format!(
                "{} commit{} and {} bytes of journal each",
                sample.commits(),
                if sample.commits() == 1 { "" } else { "s" },
                sample.journal_bytes()
            );
            println!(
                "floor    {:<34} {:>7} {:>14.0}                {:>8.2} {:>8.2} {:>13.0}             {what}",
                cell.machine.title(),
                cell.clients,
                measured.per_second,
                measured.quantile(0.5),
                measured.quantile(0.99),
                measured.cpu_each
            );
            self.floors.insert(key, measured);
        }
        self.floors[&key].per_second
    }

    /// The ratios to others.
    fn compare(&self) {
        println!("\nBeside others, as they were measured on such a machine:");
        for (who, machine, clients, theirs) in OTHERS {
            for (cell, ours) in &self.results {
                if cell.machine == machine && cell.clients == clients {
                    let floor = self.floors.get(&(machine.name(), clients)).filter(|_| !cell.is_express);
                    let floor =
                        floor.map_or(String::new(), |floor| format!("; the floor here is {:.0}/s", floor.per_second));
                    println!(
                        "  {:>6.1} times {who} ({theirs}/s): {} {} of {} with {clients} client(s){floor}",
                        ours / theirs,
                        cell.way.title(),
                        cell.type_name(),
                        machine.title(),
                    );
                }
            }
        }
    }
}

impl Cell {
    fn type_name(self) -> &'static str {
        if self.is_express { "Express" } else { "Standard" }
    }

    /// A line of the table; without a floor where Standard is at half load.
    fn print(self, measured: &Measured, floor: Option<f64>) {
        let of_floor = match floor {
            Some(floor) => format!("{:>12.0} %", measured.per_second / floor * 100.0),
            None if self.is_express => String::new(),
            None => "     (half load)".to_owned(),
        };
        println!(
            "{:<8} {:<9} {:<24} {:>7} {:>14.0} {:>14.0} {:>8.2} {:>8.2} {:>13.0} {:>9.1} {of_floor}",
            self.way.title(),
            self.type_name(),
            self.machine.title(),
            self.clients,
            measured.per_second,
            measured.per_second * f64::from(self.machine.transitions()),
            measured.quantile(0.5),
            measured.quantile(0.99),
            measured.cpu_each,
            measured.peak,
        );
    }
}
