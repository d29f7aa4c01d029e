//! Chance that can be had again: the same seed gives the same throws on every machine (`SplitMix64`).

/// Thrown for each question.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of them, each as likely as the others.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Once in so many throws.
    pub(super) fn once_in(&mut self, throws: usize) -> bool {
        self.below(throws) == 0
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("a list is shorter than that");
        usize::try_from(self.throw() % limit).expect("it is below a length")
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_comes_up_and_a_seed_gives_the_same_throws() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.pick(&[1, 2, 3, 4, 5, 6])).collect::<Vec<_>>()
        };
        assert!((1..=6).all(|face| throws(7).contains(&face)));
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }
}
