//! What map runs read their items from (`ItemReader`): pages of items, slowly, and now and then no further.

use execution::map_run::{Item, Reading};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::world::World;
use crate::ports::{ItemPage, ItemsToRead};

/// Items of a page, and after how many there is a position to begin from.
const PAGE: u64 = 3;
const BLOCK: u64 = 6;
/// The bucket whose objects can't always be read.
pub(super) const FAILING: &str = "failing";
/// How often, in hundredths, while the weather is bad.
const FAILS: u64 = 15;

/// Where there are so many items.
pub(super) fn arguments(count: u64, may_fail: bool) -> Value {
    json!({"Bucket": if may_fail { FAILING } else { "sound" }, "Key": count.to_string()})
}

fn count(reading: &Reading) -> u64 {
    reading.arguments["Key"].as_str().and_then(|key| key.parse().ok()).expect("its name is how many there are")
}

fn item(number: u64) -> Item {
    Item { value: json!({"item": number}), key: None, source: "S3://sound/items".to_owned() }
}

/// The items that a run takes.
pub(super) fn all(reading: &Reading) -> Vec<Item> {
    let most = u64::try_from(reading.max_items).ok().filter(|most| *most > 0).unwrap_or(u64::MAX);
    (0..count(reading).min(most)).map(item).collect()
}

/// Reads on from a position.
pub(super) async fn read(world: &World, items: ItemsToRead, pages: mpsc::Sender<ItemPage>) -> Result<(), String> {
    let ItemsToRead { reading, from, .. } = items;
    let may_fail = reading.arguments["Bucket"] == FAILING;
    let count = count(&reading);
    let mut at = from.as_ref().map_or(0, |from| from.as_u64().expect("it is a position of ours"));
    world.note(format_args!("read {count} items from {at}"));
    if at > 0 {
        world.count("map runs that read on from their cursors");
    }
    while at < count {
        world.pause(0, 1500).await;
        {
            let mut state = world.state();
            if may_fail && !state.weather.is_calm && state.random.chance(FAILS) {
                state.count("fault: items not read");
                return Err("the object is gone".to_owned());
            }
            state.count("pages of items read");
        }
        let until = count.min(at - at % PAGE + PAGE);
        let page =
            ItemPage { position: json!(at - at % BLOCK), skip: at % BLOCK, items: (at..until).map(item).collect() };
        if pages.send(page).await.is_err() {
            break;
        }
        at = until;
    }
    Ok(())
}
