//! Counters, gauges and histograms: atomics that are counted without a lock, and what is read of them.
//!
//! [`figures!`](crate::figures!) makes a struct of them, in which a metric is one line: its help, its field, its type, its name and the
//! names of its labels. Whoever counts holds the struct and names a field; who shows them asks for `families()`.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    marker::PhantomData,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How many names one [`ByName`] tells apart; all beyond them are counted together, as [`OTHER`].
pub const NAMES_LIMIT: usize = 512;
/// The label of what is beyond that limit.
pub const OTHER: &str = "other";

/// What a metric is: the types of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is Prometheus' metric type of the same name")]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric with all that is known of it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// As Prometheus names it: with the unit, a counter with `_total`.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// A row for each combination of labels that there is.
    pub samples: Vec<Sample>,
}

/// One row of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The values of the labels, in their order.
    pub labels: Vec<String>,
    /// The value.
    pub value: Value,
}

/// The value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number of something.
    Natural(u64),
    /// A time, shown in seconds.
    Time(Duration),
    /// How often something took how long.
    Histogram {
        /// The upper bound of each bucket but the last, which has none.
        bounds: Vec<Duration>,
        /// How many are in each bucket, those of the buckets before it not among them: one more than there are bounds.
        counts: Vec<u64>,
        /// All times together.
        sum: Duration,
    },
}

impl Family {
    /// What is in a measure now.
    pub fn of<M: Measure>(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        measure: &M,
    ) -> Family {
        let mut samples = Vec::new();
        measure.read(&mut Vec::new(), &mut samples);
        Family { name, help: help.trim(), kind: M::KIND, labels, samples }
    }
}

/// Something that can be read.
pub trait Measure: Default {
    /// What it is.
    const KIND: Kind;
    /// Adds its rows; `labels` are the values of the labels around it.
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>);
}

fn sample(labels: &[String], value: Value) -> Sample {
    Sample { labels: labels.to_vec(), value }
}

/// What only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// So many more, of what is counted as a length.
    pub fn add_all(&self, count: usize) {
        self.add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Measure for Counter {
    const KIND: Kind = Kind::Counter;
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>) {
        samples.push(sample(labels, Value::Natural(self.count())));
    }
}

/// A time that goes up and down, to the microsecond; 0 at first.
#[derive(Debug, Default)]
pub struct TimeGauge(AtomicU64);

impl TimeGauge {
    /// It is this now.
    pub fn set(&self, time: Duration) {
        self.0.store(micros(time), Ordering::Relaxed);
    }
}

impl Measure for TimeGauge {
    const KIND: Kind = Kind::Gauge;
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>) {
        samples.push(sample(labels, Value::Time(Duration::from_micros(self.0.load(Ordering::Relaxed)))));
    }
}

/// The buckets of a histogram.
pub trait Bounds: Default + std::fmt::Debug {
    /// Their upper bounds, in microseconds, growing.
    const MICROSECONDS: &'static [u64];
}

/// From half a millisecond to a minute: what machines take.
#[derive(Debug, Default)]
pub struct Moments;

impl Bounds for Moments {
    const MICROSECONDS: &'static [u64] = &[
        500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000,
    ];
}

/// From a quarter of a second to a week: what waits for CloudTrail and for people.
#[derive(Debug, Default)]
pub struct Responses;

impl Bounds for Responses {
    const MICROSECONDS: &'static [u64] = &[
        250_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        120_000_000,
        300_000_000,
        600_000_000,
        900_000_000,
        1_800_000_000,
        3_600_000_000,
        14_400_000_000,
        86_400_000_000,
        604_800_000_000,
    ];
}

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram<B> {
    counts: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
    bounds: PhantomData<B>,
}

impl<B: Bounds> Default for Histogram<B> {
    fn default() -> Histogram<B> {
        let counts = (0..=B::MICROSECONDS.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { counts, sum_micros: AtomicU64::new(0), bounds: PhantomData }
    }
}

impl<B: Bounds> Histogram<B> {
    /// It took so long, once more.
    pub fn observe(&self, time: Duration) {
        let micros = micros(time);
        let bucket = B::MICROSECONDS.partition_point(|bound| *bound < micros);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<B: Bounds> Measure for Histogram<B> {
    const KIND: Kind = Kind::Histogram;
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>) {
        let value = Value::Histogram {
            bounds: B::MICROSECONDS.iter().copied().map(Duration::from_micros).collect(),
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)),
        };
        samples.push(sample(labels, value));
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The values of a label, all known when the program is built: [`label!`](crate::label!) makes one.
pub trait Label: Copy {
    /// All values, in the order of [`Label::index`].
    const VALUES: &'static [&'static str];
    /// Which it is.
    fn index(self) -> usize;
}

/// One measure for each value of a label.
#[derive(Debug)]
pub struct By<L, M> {
    each: Box<[M]>,
    /// Of no value: a label's index is one of its values.
    none: M,
    label: PhantomData<L>,
}

impl<L: Label, M: Measure> Default for By<L, M> {
    fn default() -> By<L, M> {
        By { each: L::VALUES.iter().map(|_| M::default()).collect(), none: M::default(), label: PhantomData }
    }
}

impl<L: Label, M: Measure> By<L, M> {
    /// The measure of a value.
    pub fn of(&self, label: L) -> &M {
        self.each.get(label.index()).unwrap_or(&self.none)
    }
}

impl<L: Label, M: Measure> Measure for By<L, M> {
    const KIND: Kind = M::KIND;
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>) {
        for (value, measure) in L::VALUES.iter().zip(&self.each) {
            labels.push((*value).to_owned());
            measure.read(labels, samples);
            labels.pop();
        }
    }
}

/// A place in a table of names: empty, or for ever that name's.
type Place<M> = OnceLock<(Box<str>, M)>;

/// One measure for each name: of guardrails, queues, channels. A name is there from the first time it is asked for. Finding one takes no
/// lock: a name stays for ever in the first free place behind its hash. Only for names that configuration and content give, never for
/// what an event says.
#[derive(Debug)]
pub struct ByName<M> {
    places: Box<[Place<M>]>,
    other: OnceLock<M>,
}

impl<M> Default for ByName<M> {
    fn default() -> ByName<M> {
        ByName { places: (0..NAMES_LIMIT).map(|_| OnceLock::new()).collect(), other: OnceLock::new() }
    }
}

impl<M: Measure> ByName<M> {
    /// The measure of a name.
    pub fn of(&self, name: &str) -> &M {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let places = u64::try_from(self.places.len()).unwrap_or(1).max(1);
        let first = usize::try_from(hasher.finish() % places).unwrap_or(0);
        let (before, after) = self.places.split_at(first.min(self.places.len()));
        for place in after.iter().chain(before) {
            let (held, measure) = place.get_or_init(|| (name.into(), M::default()));
            if **held == *name {
                return measure;
            }
        }
        self.other.get_or_init(|| {
            tracing::warn!(name, "more than {NAMES_LIMIT} names are counted; those beyond are counted together");
            M::default()
        })
    }
}

impl<M: Measure> Measure for ByName<M> {
    const KIND: Kind = M::KIND;
    fn read(&self, labels: &mut Vec<String>, samples: &mut Vec<Sample>) {
        let mut named: Vec<(&str, &M)> =
            self.places.iter().filter_map(OnceLock::get).map(|(name, measure)| (&**name, measure)).collect();
        named.sort_by_key(|(name, _)| *name);
        for (name, measure) in named.into_iter().chain(self.other.get().map(|measure| (OTHER, measure))) {
            labels.push(name.to_owned());
            measure.read(labels, samples);
            labels.pop();
        }
    }
}

/// An enum that is a [`Label`]: each variant with its value.
#[macro_export]
macro_rules! label {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name { $($(#[$of_variant])* $variant),+ }

        impl $crate::measure::Label for $name {
            const VALUES: &'static [&'static str] = &[$($value),+];
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// A struct of measures, each with its help, its name and the names of its labels, in the order in which they are nested.
#[macro_export]
macro_rules! figures {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($(#[doc = $help:literal])+ $field:ident: $measure:ty = $metric:literal [$($label:literal),*];)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $visibility struct $name {
            $($(#[doc = $help])+ pub $field: $measure,)+
        }

        impl $name {
            /// All that was measured.
            pub fn families(&self) -> Vec<$crate::measure::Family> {
                vec![$($crate::measure::Family::of($metric, concat!($($help),+), &[$($label),*], &self.$field)),+]
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    label! {
        /// A colour.
        enum Colour {
            /// Of blood.
            Red = "red",
            /// Of grass.
            Green = "green",
        }
    }

    figures! {
        /// For these tests.
        struct Figures {
            /// Things,
            /// by colour.
            things: By<Colour, Counter> = "things_total" ["colour"];
            /// Names.
            names: ByName<By<Colour, Counter>> = "names_total" ["name", "colour"];
            /// Times.
            times: Histogram<Moments> = "times_seconds" [];
            /// Age.
            age: TimeGauge = "age_seconds" [];
        }
    }

    fn rows(family: &Family) -> Vec<(String, u64)> {
        let row = |sample: &Sample| match sample.value {
            Value::Natural(count) => (sample.labels.join(" "), count),
            _ => panic!("{sample:?}"),
        };
        family.samples.iter().map(row).collect()
    }

    #[test]
    fn counts_are_read_by_their_labels() {
        let figures = Figures::default();
        figures.things.of(Colour::Green).add(2);
        figures.names.of("b").of(Colour::Red).increment();
        figures.names.of("a").of(Colour::Green).increment();
        figures.names.of("b").of(Colour::Red).increment();
        let families = figures.families();
        assert_eq!((families[0].name, families[0].help), ("things_total", "Things, by colour."));
        assert_eq!(rows(&families[0]), [("red".into(), 0), ("green".into(), 2)]);
        let expected = [("a red", 0), ("a green", 1), ("b red", 2), ("b green", 0)];
        assert_eq!(rows(&families[1]), expected.map(|(name, count)| (name.to_owned(), count)));
    }

    #[test]
    fn a_bucket_has_its_bound_and_none_has_the_last() {
        let figures = Figures::default();
        for micros in [0, 500, 501, 60_000_000, 60_000_001] {
            figures.times.observe(Duration::from_micros(micros));
        }
        figures.age.set(Duration::from_millis(1500));
        let Value::Histogram { counts, sum, .. } = figures.families()[2].samples[0].value.clone() else { panic!() };
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (2, 1, 1, 1));
        assert_eq!(sum, Duration::from_micros(120_001_002));
        assert_eq!(figures.families()[3].samples[0].value, Value::Time(Duration::from_millis(1500)));
    }

    #[test]
    fn names_have_a_limit_and_threads_meet_in_them() {
        let names: ByName<Counter> = ByName::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..NAMES_LIMIT + 10).for_each(|number| names.of(&number.to_string()).increment()));
            }
        });
        let family = Family::of("n_total", "", &["name"], &names);
        assert_eq!(family.samples.len(), NAMES_LIMIT + 1);
        let counts: Vec<u64> = rows(&family).into_iter().map(|(_, count)| count).collect();
        let all: u64 = counts.iter().sum();
        assert_eq!(all, 4 * 522);
        assert_eq!(rows(&family).last().unwrap().0, OTHER);
    }
}
