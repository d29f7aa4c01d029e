//! Which stages there are, and which of them an image needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Instruction, Step, expand};

/// The steps of one stage, FROM first.
pub type Section<'a> = &'a [Step];

/// The stages, in order.
pub fn sections(steps: &[Step]) -> Vec<Section<'_>> {
    let begins: Vec<usize> = (0..steps.len())
        .filter(|at| matches!(steps[*at].instruction, Instruction::From { .. }))
        .chain([steps.len()])
        .collect();
    begins.windows(2).map(|pair| &steps[pair[0]..pair[1]]).collect()
}

/// The last stage before `before` that is called so.
pub fn find_stage(sections: &[Section<'_>], before: usize, name: &str) -> Option<usize> {
    let called = |section: &Section<'_>| matches!(&section[0].instruction, Instruction::From { name: Some(known), .. } if *known == name.to_lowercase());
    let by_name = sections[..before].iter().rposition(called);
    by_name.or_else(|| name.parse().ok().filter(|index| *index < before))
}

/// The stages that a stage needs, itself among them; `globals` are the variables that stand before the first.
pub fn needed(
    sections: &[Section<'_>],
    target: usize,
    globals: &BTreeMap<String, String>,
) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let mut next = vec![target];
    while let Some(index) = next.pop() {
        if !needed.insert(index) {
            continue;
        }
        for step in sections[index] {
            let other = match &step.instruction {
                // Whoever begins the stage says what is wrong with the word.
                Instruction::From { image, .. } => expand(image, globals).ok(),
                Instruction::Copy(copy) => copy.from.clone(),
                _ => None,
            };
            next.extend(other.and_then(|other| find_stage(sections, index, &other)));
        }
    }
    needed
}
