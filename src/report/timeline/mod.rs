//! A life, drawn: time runs down, each container has a lane, and what happened stands beside it.
//!
//! 1. `rows`: the record as lines of text, each with its time and its height.
//! 2. `lane`: one container along those rows: states, CPU, memory, ports.
//! 3. `svg`, `html`: rows and lanes as a picture, and the picture as a page.

mod html;
mod lane;
mod rows;
pub(in crate::report) mod style;
mod svg;

use std::path::Path;

use thiserror::Error;

use super::record::Recorded;

/// As what a life is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// A picture by itself.
    Svg,
    /// A page with the picture and the same as a table.
    Html,
}

/// There is no canvas of that kind.
#[derive(Debug, Error)]
#[error("cannot draw a timeline as {0}: name a file that ends in .svg or .html")]
pub struct UnknownCanvas(String);

impl Canvas {
    /// By the file's name.
    pub fn of(path: &Path) -> Result<Self, UnknownCanvas> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(UnknownCanvas(path.display().to_string())),
        }
    }
}

impl Recorded<'_> {
    /// The life that was seen, for readers of this language.
    pub fn drawn(&self, canvas: Canvas, lang: &str) -> String {
        match canvas {
            Canvas::Svg => svg::picture(&self.record),
            Canvas::Html => html::page(&self.record, lang),
        }
    }
}
