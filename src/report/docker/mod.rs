//! Containers as Docker shows them: the same columns, the same fields, the same words, and its templates.

#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod container;
pub mod filter;
pub mod format;
pub mod moment;
pub mod pattern;
pub mod table;
pub mod template;
pub mod words;
