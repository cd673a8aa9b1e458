//! JUDGEMENT: conclusions with their evidence.

pub mod growth;
pub mod tags;
