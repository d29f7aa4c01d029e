//! How a value looks in a file: a word, a list or a mapping, whichever of the three it may be.
//!
//! A value of `T` is read by a [`Shape`] of `T`; `One`, `Maybe`, `List` and `Table` hand shapes to serde's `with`.
//! (An untagged enum would do this too, but forgets what was wrong.)

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Unexpected, Visitor},
};

use super::words::WordError;

/// The forms that a value may have in a file.
pub(super) trait Shape<T>: Sized {
    /// What to write here, as the object of "expected …".
    const EXPECTED: &'static str;

    /// The short form.
    fn word(text: &str) -> Result<T, WordError> {
        Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED })
    }

    /// What it means when nothing is written after the colon.
    fn nothing() -> Option<T> {
        None
    }

    /// The form that is a list.
    fn list<'de, A: SeqAccess<'de>>(_items: A) -> Result<T, A::Error> {
        Err(de::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }

    /// The long form.
    fn mapping<'de, A: MapAccess<'de>>(_entries: A) -> Result<T, A::Error> {
        Err(de::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }

    /// Writes the shortest form that says it all.
    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error>;
}

/// `#[serde(with = "One::<Shape>")]` for a value.
pub(super) struct One<P>(PhantomData<P>);

impl<P> One<P> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
    where
        P: Shape<T>,
    {
        Read::<P, T>::new().deserialize(deserializer)
    }

    pub(super) fn serialize<S: Serializer, T>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        P: Shape<T>,
    {
        P::write(value, serializer)
    }
}

/// `#[serde(with = "Maybe::<Shape>")]` for a value that may be missing.
pub(super) struct Maybe<P>(PhantomData<P>);

impl<P> Maybe<P> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        P: Shape<T>,
    {
        struct Optional<P, T>(PhantomData<(P, T)>);

        impl<'de, T, P: Shape<T>> Visitor<'de> for Optional<P, T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(P::EXPECTED)
            }

            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                One::<P>::deserialize(deserializer).map(Some)
            }
        }

        deserializer.deserialize_option(Optional::<P, T>(PhantomData))
    }

    #[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
    pub(super) fn serialize<S: Serializer, T>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        P: Shape<T>,
    {
        match value {
            Some(value) => P::write(value, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// `#[serde(with = "List::<Shape>")]` for a list of values.
pub(super) struct List<P>(PhantomData<P>);

impl<P> List<P> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        P: Shape<T>,
    {
        struct Items<P, T>(PhantomData<(P, T)>);

        impl<'de, T, P: Shape<T>> Visitor<'de> for Items<P, T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                read_list::<P, T, A>(items)
            }
        }

        deserializer.deserialize_seq(Items::<P, T>(PhantomData))
    }

    pub(super) fn serialize<S: Serializer, T>(values: &[T], serializer: S) -> Result<S::Ok, S::Error>
    where
        P: Shape<T>,
    {
        serializer.collect_seq(values.iter().map(Written::<P, T>::new))
    }
}

/// `#[serde(with = "Table::<KeyShape, Shape>")]` for a mapping from keys to values.
pub(super) struct Table<Q, P>(PhantomData<(Q, P)>);

impl<Q, P> Table<Q, P> {
    pub(super) fn deserialize<'de, D, K, T>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
    where
        D: Deserializer<'de>,
        K: Ord,
        Q: Shape<K>,
        P: Shape<T>,
    {
        struct Entries<Q, K, P, T>(PhantomData<(Q, K, P, T)>);

        impl<'de, K: Ord, T, Q: Shape<K>, P: Shape<T>> Visitor<'de> for Entries<Q, K, P, T> {
            type Value = BTreeMap<K, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut table = BTreeMap::new();
                while let Some(key) = entries.next_key_seed(Read::<Q, K>::new())? {
                    table.insert(key, entries.next_value_seed(Read::<P, T>::new())?);
                }
                Ok(table)
            }
        }

        deserializer.deserialize_map(Entries::<Q, K, P, T>(PhantomData))
    }

    pub(super) fn serialize<S, K, T>(table: &BTreeMap<K, T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        Q: Shape<K>,
        P: Shape<T>,
    {
        serializer.collect_map(
            table.iter().map(|(key, value)| (Written::<Q, K>::new(key), Written::<P, T>::new(value))),
        )
    }
}

/// Every item of a list, in one shape.
pub(super) fn read_list<'de, P: Shape<T>, T, A: SeqAccess<'de>>(mut items: A) -> Result<Vec<T>, A::Error> {
    let mut list = Vec::new();
    while let Some(item) = items.next_element_seed(Read::<P, T>::new())? {
        list.push(item);
    }
    Ok(list)
}

/// One value with its shape, on its way out.
pub(super) struct Written<'a, P, T>(&'a T, PhantomData<P>);

impl<'a, P, T> Written<'a, P, T> {
    pub(super) fn new(value: &'a T) -> Self {
        Self(value, PhantomData)
    }
}

impl<T, P: Shape<T>> Serialize for Written<'_, P, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        P::write(self.0, serializer)
    }
}

/// One value with its shape, on its way in.
pub(super) struct Read<P, T>(PhantomData<(P, T)>);

impl<P, T> Read<P, T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T, P: Shape<T>> DeserializeSeed<'de> for Read<P, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T, P: Shape<T>> Visitor<'de> for Read<P, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(P::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        P::word(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        P::nothing().ok_or_else(|| E::invalid_type(Unexpected::Unit, &P::EXPECTED))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        P::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        P::mapping(entries)
    }
}
