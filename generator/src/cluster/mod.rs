//! What spans machines: bringing the cluster up, looking at it, testing it, taking it down.

pub mod api;
pub mod apply;
mod bootstrap;
pub mod capture;
mod child;
mod cilium;
pub mod console;
pub mod destroy;
mod dns;
pub mod doctor;
pub mod down;
mod fresh;
mod host;
pub mod install;
pub(crate) mod interrupt;
mod limits;
pub mod lock;
pub mod logs;
mod machines;
mod manifest;
pub mod medium;
pub mod network;
mod nodes;
mod pods;
mod progress;
pub mod snapshot;
pub mod status;
mod table;
mod terminal;
pub mod tools;
pub mod top;
pub mod up;
pub mod verify;
mod wait;

use machines::limits;
pub use progress::seconds;
