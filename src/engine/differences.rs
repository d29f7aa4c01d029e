//! Where Docker lives otherwise than the model foresees, on purpose or by a race of its own: the one list that all refer to.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is called where it explains something.
    pub name: &'static str,
    /// What is different.
    pub sentence: &'static str,
    /// Where it is known from.
    pub source: &'static str,
}

/// All of them.
pub const DIFFERENCES: [Difference; 0] = [];

/// How many events of each story agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Of the predicted ones.
    pub predicted: usize,
    /// Of the measured ones.
    pub measured: usize,
}

/// How far two stories of one container agree, and by which difference, if not word for word.
pub fn agree(predicted: &[String], measured: &[String]) -> (Agreed, Option<&'static Difference>) {
    let common = predicted.iter().zip(measured).take_while(|(one, other)| one == other).count();
    (Agreed { predicted: common, measured: common }, None)
}
