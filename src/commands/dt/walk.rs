//! Goes through a structure and hands over a row for each field: with values where there is an address, and as deep as asked for.

use super::fields::{Member, Spec, members};
use super::options::Options;
use super::row::FieldRow;
use super::spelling;
use super::value::{Reader, Shown};
use crate::command::{Sink, Value, sink};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_symbols::{SymbolTable, Type, Udt};
use std::sync::atomic::AtomicBool;

/// After so many rows nobody is reading any more: `-r` over pointers goes round and round in a kernel.
const MAX_ROWS: usize = 100_000;
/// kd lines up the colons behind names of this length.
const USUAL_WIDTH: usize = 16;
/// Of an array so many elements are shown on lines of their own.
const MAX_ELEMENTS: u64 = 0x1_0000;

/// One command at work.
pub(super) struct Walk<'a> {
    stop: &'a AtomicBool,
    table: &'a SymbolTable,
    options: &'a Options,
    /// Where values come from.
    pub reader: Reader<'a>,
    /// Where rows go.
    pub out: &'a mut dyn Sink,
    specs: Vec<Spec>,
    width: usize,
    rows: usize,
    /// With `-c`: the line so far.
    line: String,
    /// The types that are open, from the outermost.
    open: Vec<&'a str>,
    /// The names that lead to the structure at hand, each with a dot behind it.
    path: String,
}

/// The structure at hand.
#[derive(Clone, Copy)]
struct Here<'a> {
    udt: &'a Udt,
    at: Option<Virt>,
    /// How far to the right.
    level: usize,
    /// How many levels may still be opened.
    depth: u32,
}

impl<'a> Walk<'a> {
    /// A walk over types of `table`; `specs` are the fields that were asked for, none for all of them.
    pub(super) fn new(
        stop: &'a AtomicBool,
        table: &'a SymbolTable,
        options: &'a Options,
        reader: Reader<'a>,
        specs: Vec<Spec>,
        out: &'a mut dyn Sink,
    ) -> Walk<'a> {
        let width = specs.iter().map(|spec| spec.width).max();
        Walk {
            stop,
            table,
            options,
            reader,
            out,
            width: width.unwrap_or(USUAL_WIDTH),
            specs,
            rows: 0,
            line: String::new(),
            open: Vec::new(),
            path: String::new(),
        }
    }

    /// Shows a structure, or the fields of it that were asked for; whether there was anything to show.
    ///
    /// # Errors
    /// Those of the sink, and [`Stopped`](rkd_dump::error::Error::Stopped).
    pub(super) fn structure(&mut self, udt: &'a Udt, at: Option<Virt>) -> Result<bool> {
        let here = Here {
            udt,
            at,
            level: 0,
            depth: self.options.depth,
        };
        self.open.push(&udt.name);
        let specs = std::mem::take(&mut self.specs);
        let shown = match specs.is_empty() {
            true => self.all(here).map(|()| true),
            false => self.some(
                here,
                &specs.iter().map(|spec| (spec, 0)).collect::<Vec<_>>(),
            ),
        };
        self.specs = specs;
        self.open.pop();
        let shown = shown?;
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.out.text(&line)?;
        }
        Ok(shown)
    }

    /// Whether the walk ended because there was too much to show.
    pub(super) fn is_cut(&self) -> bool {
        self.rows >= MAX_ROWS
    }

    fn all(&mut self, here: Here<'a>) -> Result<()> {
        for member in members(self.table, here.udt) {
            self.member(here, member, None)?;
        }
        Ok(())
    }

    /// Shows the members that any of the specs means, each spec together with how far its parts have been followed.
    fn some(&mut self, here: Here<'a>, specs: &[(&Spec, usize)]) -> Result<bool> {
        let all = members(self.table, here.udt);
        let mut found = false;
        for member in &all {
            let fit: Vec<_> = specs
                .iter()
                .filter(|(spec, part)| spec.means(*part, *member, &all))
                .copied()
                .collect();
            let Some(&(first, part)) = fit.first() else {
                continue;
            };
            found = true;
            let index = first.index(part);
            let inner: Vec<_> = fit
                .iter()
                .filter(|(spec, part)| spec.goes_on(*part))
                .map(|(spec, part)| (*spec, part + 1))
                .collect();
            match inner.is_empty() {
                true => self.member(here, *member, index)?,
                false => self.inside(here, *member, index, &inner)?,
            }
        }
        Ok(found)
    }

    /// A member of which only some of the inside is wanted.
    fn inside(
        &mut self,
        here: Here<'a>,
        member: Member<'a>,
        index: Option<u64>,
        specs: &[(&Spec, usize)],
    ) -> Result<()> {
        let (name, ty, offset) = self.element(member, index);
        let at = here.at.map(|at| at + offset);
        let mut shown = self.shown(ty, at);
        // What is opened is not named: its fields say what it is.
        if let (Type::Udt(tag), Some(_)) = (ty, at) {
            let named = spelling::tag(tag).len();
            if !self.options.verbose {
                shown.text = shown.text.get(named..).unwrap_or_default().to_string();
            }
        }
        self.row(here, &name, ty, offset, shown)?;
        if let Some((udt, at)) = self.target(ty, at)
            && !self.open.contains(&&*udt.name)
        {
            let depth = here.depth;
            self.enter(here, &name, udt, at, depth, |walk, here| {
                walk.some(here, specs).map(|_| ())
            })?;
        }
        Ok(())
    }

    /// A member whole.
    fn member(&mut self, here: Here<'a>, member: Member<'a>, index: Option<u64>) -> Result<()> {
        let (name, ty, offset) = self.element(member, index);
        self.place(here, &name, ty, offset)
    }

    /// The name, the type and the offset of a member, or of an element of it.
    fn element(&self, member: Member<'a>, index: Option<u64>) -> (String, &'a Type, u64) {
        let Member { offset, field } = member;
        if let (Some(index), Type::Array(of, _)) = (index, &field.ty)
            && let Some(size) = self.table.size_of(of)
        {
            let offset = offset.wrapping_add(index.wrapping_mul(size));
            return (format!("{}[{index}]", field.name), of, offset);
        }
        (field.name.to_string(), &field.ty, offset)
    }

    fn place(&mut self, here: Here<'a>, name: &str, ty: &'a Type, offset: u64) -> Result<()> {
        let at = here.at.map(|at| at + offset);
        let elements = match (ty, at) {
            (Type::Array(of, count), Some(at)) if self.opens_array(of) => Some((&**of, *count, at)),
            _ => None,
        };
        let mut shown = self.shown(ty, at);
        if elements.is_some() {
            shown.text.clear();
        }
        self.row(here, name, ty, offset, shown)?;
        if let Some((of, count, at)) = elements {
            return self.elements(here, name, of, count, at);
        }
        self.below(here, name, ty, at)
    }

    /// What is inside of a field, as far as the options want it.
    fn below(&mut self, here: Here<'a>, name: &str, ty: &'a Type, at: Option<Virt>) -> Result<()> {
        let follows = match ty {
            Type::Pointer(_) => here.depth > 0 && !self.options.blocks,
            _ => here.depth > 0 || self.options.blocks,
        };
        if !follows || self.is_cut() {
            return Ok(());
        }
        let ty = match (ty, at) {
            // Without an address one element stands for all.
            (Type::Array(of, _), None) => of,
            _ => ty,
        };
        match self.target(ty, at) {
            Some((udt, at)) if !self.open.contains(&&*udt.name) => {
                let depth = here.depth.saturating_sub(1);
                self.enter(here, name, udt, at, depth, |walk, here| walk.all(here))
            }
            _ => Ok(()),
        }
    }

    fn opens_array(&self, of: &Type) -> bool {
        self.options.elements.is_some()
            || self.options.blocks && matches!(of, Type::Udt(_) | Type::Array(..))
    }

    /// Each element of an array on a line of its own.
    fn elements(
        &mut self,
        here: Here<'a>,
        name: &str,
        of: &'a Type,
        count: u64,
        at: Virt,
    ) -> Result<()> {
        let Some(size) = self.table.size_of(of) else {
            return Ok(());
        };
        let wanted = self.options.elements.unwrap_or(count).min(count);
        for element in 0..wanted.min(MAX_ELEMENTS) {
            if self.is_cut() {
                return Ok(());
            }
            let at = at + element.wrapping_mul(size);
            let shown = self.shown(of, Some(at));
            let name = format!("{name}[{element}]");
            let line = format!("{} [{element:02}] {}", self.indent(here.level), shown.text);
            let row = FieldRow::new(self.table, here.udt, &self.path, &name, of);
            self.emit(
                row.at(at - here.at.unwrap_or(at), Some(at))
                    .shown(shown, line),
            )?;
            self.below(here, &name, of, Some(at))?;
        }
        if wanted > MAX_ELEMENTS {
            let note = format!("{name}: the first {MAX_ELEMENTS} of {wanted} elements are shown");
            self.out.note(&note)?;
        }
        Ok(())
    }

    /// Opens a structure inside of the one at hand.
    fn enter(
        &mut self,
        here: Here<'a>,
        name: &str,
        udt: &'a Udt,
        at: Option<Virt>,
        depth: u32,
        show: impl FnOnce(&mut Self, Here<'a>) -> Result<()>,
    ) -> Result<()> {
        let length = self.path.len();
        self.path.push_str(name);
        self.path.push('.');
        self.open.push(&udt.name);
        let level = here.level + 1;
        let result = show(
            self,
            Here {
                udt,
                at,
                level,
                depth,
            },
        );
        self.open.pop();
        self.path.truncate(length);
        result
    }

    /// The structure that a field is or points at. A pointer that is null or cannot be read leads nowhere.
    fn target(&mut self, ty: &Type, at: Option<Virt>) -> Option<(&'a Udt, Option<Virt>)> {
        match (ty, at) {
            (Type::Udt(name), at) => Some((self.table.udt(name)?, at)),
            (Type::Pointer(to), None) => match &**to {
                Type::Udt(name) => Some((self.table.udt(name)?, None)),
                _ => None,
            },
            (Type::Pointer(to), Some(at)) => match &**to {
                Type::Udt(name) => {
                    let target = self.reader.pointer(at)?;
                    let udt = self.table.udt(name)?;
                    (target.0 != 0).then_some((udt, Some(target)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What stands behind the colon.
    fn shown(&mut self, ty: &Type, at: Option<Virt>) -> Shown {
        let spelt = match self.options.verbose {
            true => spelling::verbose(self.table, ty),
            false => spelling::short(self.table, ty),
        };
        match (ty, at) {
            (_, None) => Shown {
                text: spelt,
                value: Value::Absent("no address was given".into()),
            },
            (Type::Udt(_), Some(at)) if self.options.verbose => Shown {
                text: spelt,
                ..self.reader.show(ty, at)
            },
            (ty, Some(at)) => self.reader.show(ty, at),
        }
    }

    fn indent(&self, level: usize) -> String {
        match self.options.flat {
            true => String::new(),
            false => "   ".repeat(level + 1),
        }
    }

    fn row(
        &mut self,
        here: Here<'a>,
        name: &str,
        ty: &Type,
        offset: u64,
        shown: Shown,
    ) -> Result<()> {
        let place = match self.options.no_offsets {
            true => String::new(),
            false => format!("+{offset:#05x} "),
        };
        let width = if self.options.compact { 0 } else { self.width };
        let line = format!(
            "{}{place}{name:<width$} : {}",
            self.indent(here.level),
            shown.text
        );
        let row = FieldRow::new(self.table, here.udt, &self.path, name, ty);
        let at = here.at.map(|at| at + offset);
        self.emit(row.at(offset, at).shown(shown, line))
    }

    fn emit(&mut self, mut row: FieldRow) -> Result<()> {
        sink::check(self.stop)?;
        if self.is_cut() {
            return Ok(());
        }
        self.rows += 1;
        if self.options.compact {
            let line = std::mem::take(&mut row.line);
            match self.line.is_empty() {
                true => self.line = line,
                false => {
                    self.line.push(' ');
                    self.line.push_str(line.trim_start());
                }
            }
        }
        self.out.row(&row)
    }
}
