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
use crate::{Moment, digest, intrinsic, random};

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
        _ => Err(refuse("uuid", "takes no argument")),
    })?;
    let of_random = Rc::clone(generator);
    evaluator.register_fn_override("random", move |arguments: &[JValue]| match arguments {
        [] => Ok(JValue::from(random::fraction(&mut of_random.borrow_mut()))),
        [JValue::Number(seed)] => {
            Ok(JValue::from(random::fraction(&mut random::seeded(&[&seed.to_bits().to_le_bytes()]))))
        }
        _ => Err(refuse("random", "takes at most one number, the seed")),
    })?;
    let of_shuffle = Rc::clone(generator);
    evaluator.register_fn_override("shuffle", move |arguments: &[JValue]| match arguments {
        [JValue::Array(items)] => Ok(JValue::array(shuffle(items.to_vec(), &mut of_shuffle.borrow_mut()))),
        [JValue::Undefined] => Ok(JValue::Undefined),
        [item] => Ok(JValue::array(vec![item.clone()])),
        _ => Err(refuse("shuffle", "takes one array")),
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

fn refuse(function: &str, message: &str) -> EvaluatorError {
    EvaluatorError::TypeError(format!("T0410: The function '{function}' {message}"))
}

/// Whether an argument is undefined: the answer then is, too, as with JSONata's own functions.
fn is_undefined(arguments: &[JValue]) -> bool {
    arguments.iter().any(JValue::is_undefined)
}

/// `$partition(array, size)`.
fn partition(arguments: &[JValue]) -> Answer {
    if is_undefined(arguments) {
        return Ok(JValue::Undefined);
    }
    let wrong = || refuse("partition", "takes an array and a size of at least 1");
    let [items, size] = arguments else { return Err(wrong()) };
    let size = whole(size).and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0).ok_or_else(wrong)?;
    match items {
        JValue::Array(items) => {
            Ok(JValue::array(items.chunks(size).map(|chunk| JValue::array(chunk.to_vec())).collect()))
        }
        item => Ok(JValue::array(vec![JValue::array(vec![item.clone()])])),
    }
}

/// `$range(first, last, step)`. A range of one number is that number, as AWS has it.
fn range(arguments: &[JValue]) -> Answer {
    if is_undefined(arguments) {
        return Ok(JValue::Undefined);
    }
    let wrong = || refuse("range", "takes a first and a last whole number and a step other than 0");
    let [first, last, step] = arguments else { return Err(wrong()) };
    let numbers = whole(first).zip(whole(last)).zip(whole(step)).filter(|(_, step)| *step != 0);
    let ((first, last), step) = numbers.ok_or_else(wrong)?;
    let numbers = intrinsic::steps(first, last, step).map_err(|message| refuse("range", &message))?;
    Ok(JValue::sequence(numbers.into_iter().map(JValue::from).collect()))
}

/// `$hash(text, algorithm)`.
fn hash(arguments: &[JValue]) -> Answer {
    if is_undefined(arguments) {
        return Ok(JValue::Undefined);
    }
    let [JValue::String(data), JValue::String(algorithm)] = arguments else {
        return Err(refuse("hash", "takes a text and the name of an algorithm"));
    };
    digest::hash(algorithm, data.as_bytes())
        .map(JValue::from)
        .ok_or_else(|| refuse("hash", &format!("knows only {}, not '{algorithm}'", digest::ALGORITHMS)))
}

/// `$parse(text)`: JSON text as its value.
fn parse(arguments: &[JValue]) -> Answer {
    match arguments {
        [JValue::Undefined] => Ok(JValue::Undefined),
        [JValue::String(text)] => serde_json::from_str::<Value>(text)
            .map(|value| convert::from_json(&value))
            .map_err(|error| refuse("parse", &format!("found no JSON: {error}"))),
        _ => Err(refuse("parse", "takes one text")),
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

/// A number that is whole.
fn whole(value: &JValue) -> Option<i64> {
    value.as_f64().filter(|number| number.fract() == 0.0).and_then(|_| value.as_i64())
}
