//! Chance that can be repeated: the same seed gives the same lives and questions on every machine.

use std::time::Duration;

/// A row of numbers from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of many rows that a seed gives.
    pub(super) fn nth(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(STEP));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True so many times of a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of them, each as likely as the others.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let nth = self.below(from.len() as u64);
        from[usize::try_from(nth).expect("it is below a length")]
    }

    pub(super) fn millis(&mut self, from: &[u64]) -> Duration {
        Duration::from_millis(self.pick(from))
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    /// As its inventors have it, and every language that has it.
    #[test]
    fn it_is_splitmix64() {
        let mut chance = Chance::new(0);
        let row = [chance.next(), chance.next(), chance.next()];
        assert_eq!(row, [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F]);
    }

    #[test]
    fn each_number_of_a_seed_gives_its_own_row() {
        assert_ne!(Chance::nth(0, 1).next(), Chance::nth(0, 2).next());
        assert_ne!(Chance::nth(1, 1).next(), Chance::nth(0, 1).next());
    }

    #[test]
    fn all_numbers_below_a_bound_come_and_no_other() {
        let mut chance = Chance::new(1);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[usize::try_from(chance.below(5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (150..250).contains(count)), "{seen:?}");
    }

    #[test]
    fn so_many_of_a_hundred_are_true() {
        let mut chance = Chance::new(1);
        assert_eq!((0..10_000).filter(|_| chance.percent(0)).count(), 0);
        assert_eq!((0..10_000).filter(|_| !chance.percent(100)).count(), 0);
        let third = (0..10_000).filter(|_| chance.percent(33)).count();
        assert!((3200..3400).contains(&third), "{third}");
        let fourth = (0..10_000).filter(|_| chance.once_in(4)).count();
        assert!((2400..2600).contains(&fourth), "{fourth}");
    }
}
