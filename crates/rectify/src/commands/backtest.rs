//! `rectify backtest [--rules DIR] FILES|FOLDERS|s3://BUCKET/PREFIX…`: what would have fired on past events.

mod decisions;
mod inputs;
mod matching;
mod noisiest;
mod progress;
mod reader;
mod report;
mod rules;
mod s3;
mod workers;

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
};

use detection::source::Received;
use jiff::Timestamp;
use server::intake::UNKNOWN_ACCOUNT;

use super::Problem;
use crate::{
    configuration::Configuration,
    content, diagnostics,
    output::{self, Format},
};
use decisions::Decisions;
use inputs::{Place, Walk};
use matching::{Question, Seen};
use progress::{INTERVAL, Progress, Total};
use report::Report;
use rules::Rules;
use workers::Message;

/// Tell what would have fired on past events, and what would have been done; nothing is touched.
///
/// Reads CloudTrail log files, EventBridge envelopes, what sources recognise, and JSON Lines of these, gzipped or not; in files, folders,
/// or below a prefix of S3. Exit status: 0 all was read, 1 an event or a rule could not be (it is told), 2 nothing could be done.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files, folders of files, and prefixes of S3 (`s3://bucket/prefix`)
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A folder of further rules: event patterns, guardrails and Sigma rules for AWS CloudTrail (.json, .yaml, .yml)
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The configuration: modes, limits, guardrails and sources; rectify.yaml here, unless named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of a `serve` whose exceptions count, too; it is only read
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many threads read and match; as many as there are cores, unless said
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Show neither progress nor a summary; what could not be read is told all the same
    #[arg(long, short)]
    quiet: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How much of one file is told as unreadable, one by one; the rest is counted.
const UNREADABLE_TOLD: u64 = 100;
/// The Region of documents that say none.
const REGION: &str = "us-east-1";

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let configuration = Configuration::load(arguments.config.as_deref())?;
    let mut rules = Rules::load(&configuration, arguments.rules.as_deref())?;
    let (sources, broken) = content::sources(configuration.sources_folder.as_deref()).map_err(Problem)?;
    rules.refused.extend(broken.iter().map(|file| diagnostics::render(&file.name, &file.text, &file.diagnostics)));
    for told in rules.passed_over.iter().chain(&rules.refused) {
        output::problem(told);
    }
    let settings = rules.settings(&configuration)?;
    let exceptions = match &arguments.data {
        Some(folder) => engine::sqlite::exceptions(folder, Timestamp::now())
            .map_err(|error| Problem(format!("the exceptions in {} can't be read: {error}", folder.display())))?,
        None => Vec::new(),
    };
    // Of documents that say neither account nor Region.
    let account = configuration.account.clone().unwrap_or_else(|| UNKNOWN_ACCOUNT.to_owned());
    let received = Received { at: Timestamp::now(), account, region: REGION.to_owned() };
    let places = inputs::places(&arguments.paths)?;
    let question = Question {
        rules: &rules,
        sources: &sources,
        received: &received,
        wants_lines: arguments.format == Format::Jsonl,
    };
    let threads = arguments.threads.map(usize::from);
    let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    let total = Arc::new(Total::default());
    let progress = Progress::new(!arguments.quiet, Arc::clone(&total));
    if progress.is_shown() {
        count(&places, total);
    }
    let mut collector = Collector {
        report: Report::new(&rules, Decisions::new(settings, exceptions)),
        progress,
        told: Told::default(),
    };
    workers::run(&question, inputs::inputs(places), threads, |results| collector.collect(&results));
    let Collector { report, .. } = collector;
    let (summary, unreadable) = (report.summary(), report.unreadable);
    if arguments.format != Format::Jsonl {
        report.print(arguments.format);
    }
    if !arguments.quiet && arguments.format != Format::Table {
        output::problem(&summary);
    }
    if !rules.refused.is_empty() {
        output::problem(&format!("{} files of rules or sources could not be used", rules.refused.len()));
    }
    Ok(if unreadable == 0 && rules.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes what was seen, in the order of the files.
struct Collector<'a> {
    report: Report<'a>,
    progress: Progress,
    told: Told,
}

/// How much was told of the file that is read.
#[derive(Default)]
struct Told {
    count: u64,
    untold: u64,
    /// Where the last of it was.
    at: String,
}

impl Collector<'_> {
    fn collect(&mut self, results: &Receiver<Receiver<Message>>) {
        while let Some(messages) = self.wait(results) {
            while let Some(message) = self.wait(&messages) {
                match message {
                    Message::Seen(seen) => self.seen(seen),
                    Message::Ended { passed_over } => self.ended(passed_over),
                }
            }
        }
        self.progress.clear();
    }

    /// What comes next, with the progress shown meanwhile.
    fn wait<T>(&mut self, receiver: &Receiver<T>) -> Option<T> {
        loop {
            self.progress.draw(self.report.files, self.report.events);
            match receiver.recv_timeout(INTERVAL) {
                Ok(received) => return Some(received),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn seen(&mut self, seen: Seen) {
        self.report.add(&seen);
        if !seen.lines.is_empty() {
            self.progress.clear();
            output::lines(&seen.lines);
        }
        self.told.untold += seen.unreadable_untold;
        for (at, reason) in seen.unreadable {
            if self.told.count < UNREADABLE_TOLD {
                self.told.count += 1;
                self.progress.clear();
                output::problem(&format!("{at}: {reason}"));
            } else {
                self.told.untold += 1;
            }
            self.told.at = at;
        }
    }

    fn ended(&mut self, passed_over: bool) {
        if passed_over {
            self.report.passed_over += 1;
        } else {
            self.report.files += 1;
        }
        let Told { untold, at, .. } = std::mem::take(&mut self.told);
        if untold > 0 {
            self.progress.clear();
            output::problem(&format!("{at}: {untold} more events of this file could not be read"));
        }
    }
}

/// Counts the files meanwhile, in a thread that ends with this process, if it takes that long. What S3 holds is not known before it was
/// listed.
fn count(places: &[Place], total: Arc<Total>) {
    let paths: Option<Vec<PathBuf>> = places
        .iter()
        .map(|place| match place {
            Place::Path(path) => Some(path.clone()),
            Place::Prefix(..) => None,
        })
        .collect();
    let Some(paths) = paths else { return };
    drop(thread::spawn(move || {
        for _ in paths.into_iter().flat_map(Walk::new) {
            total.files.fetch_add(1, Ordering::Relaxed);
        }
        total.is_known.store(true, Ordering::Relaxed);
    }));
}
