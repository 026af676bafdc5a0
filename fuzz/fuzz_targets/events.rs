//! Bodies: whatever comes, something is said of it, and an event that was read is read the same from what it is printed as.
#![no_main]

use std::time::Duration;

use detection::{event::check_envelope, normalize};
use fuzz::within;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let read = within(Duration::from_secs(3), "reading a body", || normalize::read(body));
    assert!(!read.is_empty(), "of every body something is said");
    for event in &read {
        match event {
            Ok(event) => {
                let envelope = event.envelope();
                assert_eq!(check_envelope(&envelope), Ok(()));
                let again = normalize::read(envelope.to_string().as_bytes());
                assert_eq!(again, [Ok(event.clone())]);
                assert!(!event.identity().is_empty());
                _ = normalize::object(event);
            }
            Err(unreadable) => assert!(!unreadable.reason.is_empty()),
        }
    }
});
