//! Which pool tags a driver allocates under: drivers of our own, of others, and ones that lie.

mod cli;
mod drivers;
mod golden;
mod hostile;
mod pages;
