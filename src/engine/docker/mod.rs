//! A real Docker Engine as an engine: it decides, and the model must have predicted it.
//!
//! Every request is a task on the daemon's thread, and so is the stream of Docker's events; both put what they hear into one
//! channel. Before an answer is passed on, the events up to it are asked for once more: Docker tells of them on another
//! connection, and a step has to end with all that came before its answer. What has been told twice is taken in once.

mod answer;
mod asking;
mod cgroup;
mod creation;
mod daemon;
mod event;
mod image;
mod images;
mod known;
mod news;
mod owner;
mod replay;
mod request;
mod shown;

pub use daemon::{Daemon, Obstacle};
pub use image::HandOver;
pub use replay::Docker;
