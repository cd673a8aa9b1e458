//! JUDGEMENT: conclusions with their evidence.

pub mod bugcheck;
pub mod found;
pub mod growth;
pub mod leak;
pub mod owners;
pub mod tags;
