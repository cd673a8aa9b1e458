//! The code that is made of a struct. It names everything by `::rkd::command`, which is how the program knows itself, too.

use crate::table::{Column, Table};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Result};

/// `#[derive(Row)]`.
pub(crate) fn row(input: &DeriveInput) -> Result<TokenStream> {
    let table = Table::read(input)?;
    let Some(kind) = &table.kind else {
        let why = "which kind of rows? Say #[row(kind = \"...\")]";
        return Err(Error::new(input.ident.span(), why));
    };
    let (name, vis, doc) = (&input.ident, &input.vis, &table.doc);
    let (generics, types, bounds) = input.generics.split_for_impl();
    let cells = cells(input, &table);
    let text = match &table.line {
        Some(field) => quote!(::std::string::ToString::to_string(&self.#field)),
        None => quote!(::rkd::command::KdLine::line(self)),
    };
    Ok(quote! {
        #cells
        impl #generics #name #types #bounds {
            /// What these rows are, and their columns.
            #vis const SCHEMA: &'static ::rkd::command::Schema = &::rkd::command::Schema {
                kind: #kind,
                doc: #doc,
                columns: <Self as ::rkd::command::Cells>::COLUMNS,
            };
        }
        impl #generics ::rkd::command::Row for #name #types #bounds {
            fn kind(&self) -> &'static str {
                #kind
            }
            fn record(&self) -> ::rkd::command::Record {
                ::rkd::command::Cells::record(self)
            }
            fn text(&self) -> ::std::string::String {
                #text
            }
        }
    })
}

/// `#[derive(Record)]`.
pub(crate) fn record(input: &DeriveInput) -> Result<TokenStream> {
    let table = Table::read(input)?;
    let name = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let cells = cells(input, &table);
    Ok(quote! {
        #cells
        impl #generics ::rkd::command::Cell for #name #types #bounds {
            const KIND: ::rkd::command::CellKind =
                ::rkd::command::CellKind::Record(<Self as ::rkd::command::Cells>::COLUMNS);
            fn value(&self) -> ::rkd::command::Value {
                ::rkd::command::Value::Record(::rkd::command::Cells::record(self))
            }
        }
    })
}

/// The names and the values, which both have.
fn cells(input: &DeriveInput, table: &Table) -> TokenStream {
    let name = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    let (columns, record) = match &table.cells {
        Some(of) => (
            quote!(<#of as ::rkd::command::Cells>::COLUMNS),
            quote!(::rkd::command::Cells::record(&self.cells())),
        ),
        None => {
            let columns = table.columns.iter().map(column);
            let values = table.columns.iter().map(value);
            (quote!(&[#(#columns),*]), quote!(::std::vec![#(#values),*]))
        }
    };
    quote! {
        impl #generics ::rkd::command::Cells for #name #types #bounds {
            const COLUMNS: &'static [::rkd::command::Column] = #columns;
            fn record(&self) -> ::rkd::command::Record {
                #record
            }
        }
    }
}

fn column(column: &Column) -> TokenStream {
    let Column {
        ty,
        name,
        unit,
        doc,
        ..
    } = column;
    quote!(::rkd::command::Column::of::<#ty>(#name, #unit, #doc))
}

fn value(column: &Column) -> TokenStream {
    let Column {
        field,
        name,
        absent,
        ..
    } = column;
    let because = absent.as_ref().map(|why| quote!(.because(#why)));
    quote! {
        (
            ::std::borrow::Cow::Borrowed(#name),
            ::rkd::command::Cell::value(&self.#field) #because,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_blanks(text: &str) -> String {
        text.split_whitespace().collect()
    }

    #[test]
    fn a_row_is_made_of_its_fields() {
        let input = syn::parse_str(
            "/// A base.
             #[row(kind = \"base\")]
             pub struct Base<'a> {
                 /// The base.
                 #[row(absent = \"not said\")]
                 base: Option<u32>,
                 #[row(skip, line)]
                 shown: &'a str,
             }",
        )
        .unwrap();
        let made = without_blanks(&row(&input).unwrap().to_string());
        for part in [
            "impl<'a>::rkd::command::RowforBase<'a>",
            "pubconstSCHEMA:&'static::rkd::command::Schema",
            "::rkd::command::Column::of::<Option<u32>>(\"base\",\"\",\"The base.\")",
            "::rkd::command::Cell::value(&self.base).because(\"notsaid\")",
            "fntext(&self)->::std::string::String{::std::string::ToString::to_string(&self.shown)}",
        ] {
            let part = without_blanks(part);
            assert!(made.contains(&part), "{part} is not in {made}");
        }
        assert!(!made.contains("\"shown\""), "{made}");
    }

    #[test]
    fn a_row_has_a_kind_and_a_record_none() {
        let input = syn::parse_str("/// X.\nstruct T { /// A.\na: u64 }").unwrap();
        let why = row(&input).unwrap_err().to_string();
        assert!(why.starts_with("which kind of rows?"), "{why}");
        let made = without_blanks(&record(&input).unwrap().to_string());
        assert!(made.contains("impl::rkd::command::CellforT"), "{made}");
        assert!(!made.contains("SCHEMA"), "{made}");
    }

    #[test]
    fn cells_of_another_type_are_asked_for() {
        let text =
            "/// A hit.\n#[row(kind = \"hit\", cells = Found<'a>)]\nstruct Hit<'a> { at: &'a u64 }";
        let made = row(&syn::parse_str(text).unwrap()).unwrap();
        let made = without_blanks(&made.to_string());
        assert!(made.contains("<Found<'a>as::rkd::command::Cells>::COLUMNS"));
        assert!(made.contains("::rkd::command::Cells::record(&self.cells())"));
        assert!(made.contains("::rkd::command::KdLine::line(self)"));
    }
}
