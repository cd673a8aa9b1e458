//! What a struct declares: its attributes and documentation, read and checked.

use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Meta,
    Result, Type,
};

/// Last words of a column's name that are the unit of its numbers.
const UNITS: &[(&str, &str)] = &[
    ("bytes", "bytes"),
    ("pages", "pages"),
    ("kilobytes", "KiB"),
    ("seconds", "s"),
    ("100ns", "100 ns"),
    ("filetime", "100 ns since 1601"),
    ("rva", "bytes from the image's base"),
];

/// A struct, understood.
pub(crate) struct Table {
    /// The kind of its rows, if it says one.
    pub kind: Option<LitStr>,
    /// What its rows are.
    pub doc: String,
    /// The type that has the cells instead of the struct itself.
    pub cells: Option<Type>,
    /// Why there are no values, for columns that do not say it themselves.
    absent: Option<String>,
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// The field that is kd's line.
    pub line: Option<Ident>,
}

/// A field that is a column.
pub(crate) struct Column {
    /// The field.
    pub field: Ident,
    /// Its type, which knows the kind.
    pub ty: Type,
    /// The column's name.
    pub name: String,
    /// The unit of its numbers; empty without one.
    pub unit: String,
    /// What it holds.
    pub doc: String,
    /// Why there is no value, where the field does not say so itself.
    pub absent: Option<String>,
}

impl Table {
    /// Reads a struct.
    ///
    /// # Errors
    /// What is wrong, at its place in the source.
    pub(crate) fn read(input: &DeriveInput) -> Result<Table> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(input.span(), "only a struct has columns"));
        };
        let mut table = Table {
            kind: None,
            doc: doc(&input.attrs),
            cells: None,
            absent: None,
            columns: Vec::new(),
            line: None,
        };
        for attribute in attributes(&input.attrs) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("kind") {
                    table.kind = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("cells") {
                    table.cells = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("absent") {
                    table.absent = Some(meta.value()?.parse::<LitStr>()?.value());
                } else {
                    return Err(meta.error("a struct of rows knows `kind`, `cells` and `absent`"));
                }
                Ok(())
            })?;
        }
        if let Some(kind) = &table.kind
            && !is_snake_case(&kind.value().replace('-', "_"))
        {
            return Err(Error::new(
                kind.span(),
                "a kind is one word in small letters",
            ));
        }
        if table.doc.is_empty() {
            let why = "what are these rows? Their description is the struct's documentation";
            return Err(Error::new(input.ident.span(), why));
        }
        match &data.fields {
            Fields::Named(fields) => fields.named.iter().try_for_each(|field| table.add(field))?,
            Fields::Unit => {}
            fields => return Err(Error::new(fields.span(), "columns need names")),
        }
        Ok(table)
    }

    fn add(&mut self, field: &Field) -> Result<()> {
        let Some(ident) = &field.ident else {
            return Ok(());
        };
        let (mut name, mut unit, mut absent, mut skip) = (None, None, None, self.cells.is_some());
        for attribute in attributes(&field.attrs) {
            attribute.parse_nested_meta(|meta| {
                let text = |to: &mut Option<String>| -> Result<()> {
                    *to = Some(meta.value()?.parse::<LitStr>()?.value());
                    Ok(())
                };
                match meta.path.get_ident().map(Ident::to_string).as_deref() {
                    Some("name") => text(&mut name)?,
                    Some("unit") => text(&mut unit)?,
                    Some("absent") => text(&mut absent)?,
                    Some("skip") => skip = true,
                    Some("line") => self.line = Some(ident.clone()),
                    _ => {
                        let known = "a column knows `name`, `unit`, `absent`, `skip` and `line`";
                        return Err(meta.error(known));
                    }
                }
                Ok(())
            })?;
        }
        if skip {
            return Ok(());
        }
        let name = name.unwrap_or_else(|| ident.to_string());
        if !is_snake_case(&name) {
            return Err(Error::new(ident.span(), "a column's name is snake_case"));
        }
        if self.columns.iter().any(|known| known.name == name) {
            return Err(Error::new(ident.span(), "two columns of one name"));
        }
        let doc = doc(&field.attrs);
        if doc.is_empty() {
            let why = "what does this column hold? Its description is the field's documentation";
            return Err(Error::new(ident.span(), why));
        }
        self.columns.push(Column {
            field: ident.clone(),
            ty: field.ty.clone(),
            unit: unit.unwrap_or_else(|| unit_of(&name).to_string()),
            name,
            doc,
            absent: absent.or_else(|| self.absent.clone()),
        });
        Ok(())
    }
}

fn attributes(all: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    all.iter()
        .filter(|attribute| attribute.path().is_ident("row"))
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn unit_of(name: &str) -> &'static str {
    let last = name.rsplit('_').next().unwrap_or(name);
    UNITS
        .iter()
        .find(|(word, _)| *word == last)
        .map_or("", |(_, unit)| unit)
}

/// The first paragraph of the documentation, on one line.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => Some(text.value().trim().to_string()),
                _ => None,
            },
            _ => None,
        });
    lines
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let input = syn::parse_str(text).unwrap();
        Table::read(&input)
            .err()
            .map(|why| why.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_struct_declares_columns() {
        let input: DeriveInput = syn::parse_str(
            "/// A field
             /// of a type.
             ///
             /// More of it.
             #[row(kind = \"field\", absent = \"not known\")]
             struct FieldRow<'a> {
                 /// Its type.
                 #[row(name = \"type\", absent = \"the symbols do not say it\")]
                 ty: Option<&'a str>,
                 /// How large it is.
                 size_bytes: u64,
                 /// When it was made.
                 #[row(unit = \"days\")]
                 age: u64,
                 #[row(skip, line)]
                 shown: String,
             }",
        )
        .unwrap();
        let table = Table::read(&input).unwrap();
        assert_eq!(table.kind.map(|kind| kind.value()).unwrap(), "field");
        assert_eq!(table.doc, "A field of a type.");
        assert_eq!(table.line.unwrap(), "shown");
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|c| (c.name.as_str(), c.unit.as_str(), c.doc.as_str(), &c.absent))
            .collect();
        let why = Some("the symbols do not say it".to_string());
        let default = Some("not known".to_string());
        assert_eq!(
            columns,
            [
                ("type", "", "Its type.", &why),
                ("size_bytes", "bytes", "How large it is.", &default),
                ("age", "days", "When it was made.", &default),
            ]
        );
    }

    #[test]
    fn the_cells_of_another_type_leave_no_columns() {
        let text = "/// A hit.
            #[row(kind = \"hit\", cells = Found<'a>)]
            struct Hit<'a> { at: u64, name: &'a str }";
        let table = Table::read(&syn::parse_str(text).unwrap()).unwrap();
        assert!(table.columns.is_empty() && table.cells.is_some());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("enum E { A }", "only a struct has columns"),
            ("/// X.\nstruct T(u64);", "columns need names"),
            ("struct T { a: u64 }", "what are these rows?"),
            ("/// X.\nstruct T { a: u64 }", "what does this column hold?"),
            (
                "/// X.\n#[row(kind = \"Two words\")]\nstruct T;",
                "a kind is one word in small letters",
            ),
            (
                "/// X.\n#[row(sort = \"x\")]\nstruct T;",
                "a struct of rows knows",
            ),
            (
                "/// X.\nstruct T { #[row(colour)] a: u64 }",
                "a column knows",
            ),
            (
                "/// X.\nstruct T { /// A.\n#[row(name = \"A\")] a: u64 }",
                "a column's name is snake_case",
            ),
            (
                "/// X.\nstruct T { /// A.\na: u64, /// B.\n#[row(name = \"a\")] b: u64 }",
                "two columns of one name",
            ),
        ] {
            let said = refusal(text);
            assert!(said.starts_with(why), "{text}: {said}");
        }
    }
}
