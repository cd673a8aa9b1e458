//! `#[derive(Row)]` for what a command finds, and `#[derive(Record)]` for a structure inside of a cell.
//!
//! A struct declares a kind of row, and its fields, in their order, the columns. The documentation of a field is the
//! column's description, the field's type (by `rkd::command::Cell`) is the column's kind, and the last word of its name the
//! unit of a number (`size_bytes`, `commit_pages`); the documentation of the struct describes the kind. What may be missing is a
//! `Result`, whose error is the reason, or an `Option` with `absent`.
//!
//! On the struct:
//!
//! | attribute | meaning |
//! |---|---|
//! | `#[row(kind = "tag")]` | the kind of the rows, one snake_case word; for `Row` only |
//! | `#[row(cells = Found<'a>)]` | the columns are those of another type, which `self.cells()` makes when somebody asks: for cells that cost more than the line. The fields of the struct itself are no columns then |
//! | `#[row(absent = "not in the dump")]` | why there is no value, for all columns that do not say it themselves |
//!
//! On a field:
//!
//! | attribute | meaning |
//! |---|---|
//! | `#[row(name = "type")]` | the column's name, where it cannot be the field's |
//! | `#[row(unit = "100 ns since 1601")]` | the unit of a number, where the name does not tell it |
//! | `#[row(absent = "it has no name")]` | why there is no value, where the field is `None` |
//! | `#[row(skip)]` | no column: something that only the line needs |
//! | `#[row(line)]` | the field is kd's line; without it the struct implements `KdLine` by hand |

mod expand;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Declares a kind of row: implements `rkd::command::Row`, and adds the constant `SCHEMA` with its columns.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::row(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Declares a structure that can stand in a cell: implements `rkd::command::Cells` and `rkd::command::Cell`.
#[proc_macro_derive(Record, attributes(row))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::record(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
