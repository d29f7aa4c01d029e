//! Names for containers that nobody has named: a property and what lives in a terrarium.

use std::fs::File;
use std::io::{self, Read as _};

use super::Estate;
use crate::model::Name;

const HOW: [&str; 48] = [
    "agile", "amber", "ancient", "basking", "brave", "bright", "calm", "careful", "cheerful", "clever",
    "cosy", "curious", "dappled", "drowsy", "eager", "gentle", "glossy", "green", "happy", "hardy", "humble",
    "jolly", "keen", "kind", "lively", "lucky", "mellow", "mossy", "nimble", "patient", "placid", "playful",
    "polite", "proud", "quiet", "rooted", "shiny", "silent", "sleepy", "sly", "spry", "steady", "sunny",
    "tidy", "tiny", "warm", "watchful", "wise",
];
const WHO: [&str; 48] = [
    "acorn",
    "agave",
    "anole",
    "ant",
    "aphid",
    "axolotl",
    "beetle",
    "bromeliad",
    "cactus",
    "chameleon",
    "cicada",
    "clover",
    "cricket",
    "dewdrop",
    "fern",
    "frog",
    "gecko",
    "grasshopper",
    "iguana",
    "isopod",
    "ivy",
    "ladybird",
    "lichen",
    "liverwort",
    "lizard",
    "mantis",
    "millipede",
    "moss",
    "moth",
    "mushroom",
    "newt",
    "orchid",
    "pebble",
    "pothos",
    "salamander",
    "seedling",
    "skink",
    "slug",
    "snail",
    "spider",
    "springtail",
    "sprout",
    "stonecrop",
    "toad",
    "tortoise",
    "turtle",
    "vine",
    "weevil",
];

/// One that nobody has at this moment.
pub fn free_name(estate: &Estate) -> io::Result<Name> {
    let mut random = File::open("/dev/urandom")?;
    loop {
        let mut drawn = [0; 4];
        random.read_exact(&mut drawn)?;
        let [how, who, more, many] = drawn.map(usize::from);
        let mut text = format!("{}_{}", HOW[how % HOW.len()], WHO[who % WHO.len()]);
        // The more there are, the more often only a number makes one free.
        if estate.owner(&text).is_some() {
            text += &(more * 256 + many).to_string();
        }
        if estate.owner(&text).is_none() {
            return Name::new(text).map_err(io::Error::other);
        }
    }
}
