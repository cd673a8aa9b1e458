//! JUDGEMENT: conclusions with their evidence.

pub mod growth;
