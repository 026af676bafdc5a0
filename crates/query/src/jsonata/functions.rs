//! The functions that Step Functions adds to JSONata, and those it freezes to the moment.

use std::{cell::RefCell, rc::Rc};

use jsonata_core::{
    evaluator::{Context, Evaluator, EvaluatorError},
    parser,
    value::JValue,
};
use rand_chacha::ChaCha20Rng;
use serde_json::Value;

use super::{Expression, bounds, convert};
use crate::{Moment, digest, java, limits, random};

type Answer = Result<JValue, EvaluatorError>;

/// A function that needs nothing but its arguments, with its name.
type Plain = (&'static str, fn(&[JValue]) -> Answer);

/// What Step Functions adds.
const ADDED: [Plain; 4] = [("partition", partition), ("range", range), ("hash", hash), ("parse", parse)];

/// What replaces functions of the language.
const REPLACED: [Plain; 1] = [("eval", eval)];

/// Makes known to `evaluator` what of it `expression` mentions.
pub fn register(
    evaluator: &mut Evaluator,
    expression: &Expression,
    moment: &Moment,
    place: &str,
) -> Result<(), EvaluatorError> {
    bounds::register(evaluator)?;
    for (name, function) in ADDED.into_iter().filter(|(name, _)| expression.mentions(name)) {
        evaluator.register_fn(name, function)?;
    }
    for (name, function) in REPLACED.into_iter().filter(|(name, _)| expression.mentions(name)) {
        evaluator.register_fn_override(name, function)?;
    }
    let moment_milliseconds = moment.now.as_millisecond();
    if expression.mentions("now") {
        evaluator.register_fn_override("now", move |arguments: &[JValue]| now(moment_milliseconds, arguments))?;
    }
    if expression.mentions("millis") {
        evaluator.register_fn_override("millis", move |_: &[JValue]| Ok(JValue::from(moment_milliseconds)))?;
    }
    if expression.mentions("toMillis") {
        evaluator.register_fn_override("toMillis", move |arguments: &[JValue]| {
            to_milliseconds(moment_milliseconds, arguments)
        })?;
    }
    if ["uuid", "random", "shuffle"].iter().any(|name| expression.mentions(name)) {
        let generator = Rc::new(RefCell::new(random::generator(moment, place, expression.as_str())));
        register_random(evaluator, &generator)?;
    }
    Ok(())
}

fn register_random(evaluator: &mut Evaluator, generator: &Rc<RefCell<ChaCha20Rng>>) -> Result<(), EvaluatorError> {
    let of_uuid = Rc::clone(generator);
    evaluator.register_fn("uuid", move |arguments: &[JValue]| match arguments {
        [] => Ok(JValue::from(random::uuid(&mut of_uuid.borrow_mut()))),
        _ => Err(mismatch("uuid", 1)),
    })?;
    let of_random = Rc::clone(generator);
    evaluator.register_fn_override("random", move |arguments: &[JValue]| {
        let [seed] = parameters("random", arguments)?;
        let fraction = match integer("random", 1, &seed)? {
            None => random::fraction(&mut of_random.borrow_mut()),
            Some(seed) => java::Random::new(seed).fraction(),
        };
        Ok(JValue::from(fraction))
    })?;
    let of_shuffle = Rc::clone(generator);
    evaluator.register_fn_override("shuffle", move |arguments: &[JValue]| match arguments {
        [JValue::Array(items)] => Ok(JValue::array(shuffle(items.to_vec(), &mut of_shuffle.borrow_mut()))),
        [JValue::Undefined] => Ok(JValue::Undefined),
        [item] => Ok(JValue::array(vec![item.clone()])),
        _ => Err(mismatch("shuffle", 2)),
    })
}

fn shuffle(mut items: Vec<JValue>, generator: &mut ChaCha20Rng) -> Vec<JValue> {
    for index in (1..items.len()).rev() {
        let bound = u64::try_from(index + 1).unwrap_or(u64::MAX);
        let other = usize::try_from(random::below(generator, bound)).unwrap_or_default();
        items.swap(index, other);
    }
    items
}

/// Step Functions' own functions refuse an argument in JSONata's words.
fn mismatch(function: &str, argument: usize) -> EvaluatorError {
    EvaluatorError::TypeError(format!(
        "T0410: Argument {argument} of function \"{function}\" does not match function signature"
    ))
}

fn refuse(message: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("D3137: {message}"))
}

/// The arguments, those that are left out undefined; more than there are parameters are refused.
fn parameters<const COUNT: usize>(function: &str, arguments: &[JValue]) -> Result<[JValue; COUNT], EvaluatorError> {
    if arguments.len() > COUNT {
        return Err(mismatch(function, COUNT + 1));
    }
    let mut given = arguments.iter().cloned();
    Ok(std::array::from_fn(|_| given.next().unwrap_or(JValue::Undefined)))
}

/// A number without its fraction, `None` where it is undefined.
fn integer(function: &str, index: usize, argument: &JValue) -> Result<Option<i64>, EvaluatorError> {
    match argument {
        JValue::Undefined => Ok(None),
        // What is beyond the range of an i64 is its nearest end, as Java casts.
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is to go")]
        JValue::Number(number) => Ok(Some(*number as i64)),
        _ => Err(mismatch(function, index)),
    }
}

/// `$partition(array, size)`.
fn partition(arguments: &[JValue]) -> Answer {
    let [items, size] = parameters("partition", arguments)?;
    let size = integer("partition", 2, &size)?;
    let items = match items {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::Array(items) => items.to_vec(),
        JValue::Null => {
            let message = "T0412: Argument 1 of function \"partition\" must be an array";
            return Err(EvaluatorError::TypeError(message.to_owned()));
        }
        item => vec![item],
    };
    let size = match size.map(usize::try_from) {
        None => items.len(),
        Some(Ok(size)) => size,
        Some(Err(_)) => return Err(refuse("Second argument must be zero or greater")),
    };
    if size == 0 || items.is_empty() {
        return Ok(JValue::Undefined);
    }
    Ok(JValue::array(items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect()))
}

/// `$range(first, last, step)`. A range of one number is that number, and one of none is undefined, as AWS has it.
fn range(arguments: &[JValue]) -> Answer {
    if arguments.len() == 1 {
        return Err(mismatch("range", 2));
    }
    let [first, last, step] = parameters("range", arguments)?;
    let (first, last) = (integer("range", 1, &first)?, integer("range", 2, &last)?);
    let (Some(first), Some(last), Some(step)) = (first, last, integer("range", 3, &step)?) else {
        return Ok(JValue::Undefined);
    };
    if step == 0 || (step > 0) != (first <= last) && first != last {
        return Ok(JValue::Undefined);
    }
    let steps = usize::try_from((i128::from(last) - i128::from(first)) / i128::from(step)).unwrap_or(usize::MAX);
    if steps >= limits::JSONATA_SEQUENCE {
        return Err(EvaluatorError::EvaluationError("D1010: the range is too long".to_owned()));
    }
    let mut numbers = Vec::with_capacity(steps + 1);
    let mut next = Some(first);
    while let Some(number) = next.filter(|number| if step > 0 { *number <= last } else { *number >= last }) {
        numbers.push(JValue::from(number));
        next = number.checked_add(step);
    }
    Ok(JValue::sequence(numbers))
}

/// `$hash(text, algorithm)`.
fn hash(arguments: &[JValue]) -> Answer {
    let [data, algorithm] = parameters("hash", arguments)?;
    match (&data, &algorithm) {
        (JValue::Undefined, _) | (JValue::String(_), JValue::Undefined) => Ok(JValue::Undefined),
        (JValue::String(data), JValue::String(algorithm)) => digest::hash(algorithm, data.as_bytes())
            .map(JValue::from)
            .ok_or_else(|| refuse(&format!("Second argument must be one of {}", digest::ALGORITHMS))),
        (JValue::String(_), _) => Err(mismatch("hash", 2)),
        _ => Err(mismatch("hash", 1)),
    }
}

/// `$parse(text)`: JSON text as its value.
fn parse(arguments: &[JValue]) -> Answer {
    let [text] = parameters("parse", arguments)?;
    match text {
        JValue::Undefined => Ok(JValue::Undefined),
        JValue::String(text) => serde_json::from_str::<Value>(&text)
            .map(|value| convert::from_json(&value))
            .map_err(|_| refuse("Invalid JSON")),
        _ => Err(mismatch("parse", 1)),
    }
}

/// `$eval` is off, as in Step Functions.
fn eval(_arguments: &[JValue]) -> Answer {
    Err(EvaluatorError::TypeError("T1006: Attempted to invoke a non-function".to_owned()))
}

/// `$now(picture, timezone)` of the moment.
fn now(milliseconds: i64, arguments: &[JValue]) -> Answer {
    let mut values = vec![JValue::from(milliseconds)];
    values.extend_from_slice(arguments);
    call("fromMillis", &values)
}

/// `$toMillis(text, picture)`. A picture without a date means the day of the moment, not of the machine's clock.
fn to_milliseconds(moment: i64, arguments: &[JValue]) -> Answer {
    const DAY: &str = "[Y0001]-[M01]-[D01]";
    let dates = ["[Y", "[M", "[D", "[d", "[F", "[W", "[w", "[X", "[x"];
    let times = ["[H", "[h", "[m", "[s", "[f"];
    match arguments {
        [JValue::String(text), JValue::String(picture)]
            if times.iter().any(|time| picture.contains(time)) && !dates.iter().any(|date| picture.contains(date)) =>
        {
            let day = call("fromMillis", &[JValue::from(moment), JValue::from(DAY)])?;
            let text = format!("{} {text}", day.as_str().unwrap_or_default());
            call("toMillis", &[JValue::from(text), JValue::from(format!("{DAY} {picture}"))])
        }
        _ => call("toMillis", arguments),
    }
}

/// Calls JSONata's own function `name`, which the evaluator at hand has overridden.
fn call(name: &str, arguments: &[JValue]) -> Answer {
    let mut context = Context::new();
    let mut names = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        context.bind(format!("argument{index}"), argument.clone());
        names.push(format!("$argument{index}"));
    }
    let tree = parser::parse(&format!("${name}({})", names.join(",")))
        .map_err(|error| EvaluatorError::EvaluationError(error.to_string()))?;
    Evaluator::with_context(context).evaluate(&tree, &JValue::Undefined)
}
