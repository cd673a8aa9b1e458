//! C++ expressions that go through the target's types: casts, members, elements, `sizeof`.

use super::tokens::{Token, tokens};
use super::value::{Typed, cast, offset_type, pointee, size_type, wider};
use crate::command::masm::{self, Scope};
use crate::commands::dt::find::{What, find};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_symbols::{SymbolTable, Type};

/// Brackets and signs nest so deep at most.
const DEEPEST: usize = 100;

/// Whether an expression needs the target's types. What is made of numbers only is left to the evaluator of numbers.
pub(super) fn is_typed(text: &str) -> bool {
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    ["->", "sizeof(", "*)", "FIELD_OFFSET("]
        .iter()
        .any(|mark| squeezed.contains(mark))
        || squeezed.contains('!') && squeezed.contains(['.', '['])
}

/// Evaluates an expression.
///
/// # Errors
/// What cannot be understood, found or read.
pub(super) fn evaluate<'a>(
    session: &'a Session,
    kernel: &'a Kernel,
    text: &'a str,
) -> Result<Typed<'a>> {
    let mut parser = Parser {
        session,
        kernel,
        text,
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let value = parser.binary(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(value),
        Some(token) => Err(parser.wrong("Extra character error", token.start)),
    }
}

struct Parser<'a> {
    session: &'a Session,
    kernel: &'a Kernel,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
}

/// How tightly signs between two values bind.
#[rustfmt::skip]
const BINARY: [(&str, u8); 18] = [
    ("||", 1), ("&&", 2), ("|", 3), ("^", 4), ("&", 5), ("==", 6), ("!=", 6), ("<", 7), (">", 7),
    ("<=", 7), (">=", 7), ("<<", 8), (">>", 8), ("+", 9), ("-", 9), ("*", 10), ("/", 10), ("%", 10),
];

impl<'a> Parser<'a> {
    fn wrong(&self, what: &str, at: usize) -> Error {
        let rest = match self.text.get(at..).unwrap_or_default() {
            "" => "<EOL>",
            rest => rest,
        };
        Error::Syntax(format!("{what} at '{rest}'"))
    }

    fn place(&self) -> usize {
        self.tokens
            .get(self.at)
            .map_or(self.text.len(), |token| token.start)
    }

    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).map_or("", |token| token.text)
    }

    fn eat(&mut self, text: &str) -> bool {
        let eats = self.peek() == text;
        self.at += usize::from(eats);
        eats
    }

    fn expect(&mut self, text: &str) -> Result<()> {
        match self.eat(text) {
            true => Ok(()),
            false => Err(self.wrong("Syntax error", self.place())),
        }
    }

    fn binary(&mut self, outside: u8) -> Result<Typed<'a>> {
        let mut left = self.unary()?;
        loop {
            let sign = self.peek();
            let Some(&(_, binding)) = BINARY.iter().find(|(known, _)| *known == sign) else {
                return Ok(left);
            };
            if binding <= outside {
                return Ok(left);
            }
            let place = self.place();
            self.at += 1;
            let right = self.binary(binding)?;
            left = self.apply(sign, &left, &right, place)?;
        }
    }

    fn apply(
        &self,
        sign: &str,
        left: &Typed<'a>,
        right: &Typed<'a>,
        place: usize,
    ) -> Result<Typed<'a>> {
        let (a, b) = (left.load(self.kernel)?, right.load(self.kernel)?);
        // A pointer goes on by so many of what it points at.
        if let ("+" | "-", Some((to, table))) = (sign, pointee(left))
            && pointee(right).is_none()
        {
            let step = b.wrapping_mul(table.size_of(&to).unwrap_or(1));
            let bits = if sign == "+" {
                a.wrapping_add(step)
            } else {
                a.wrapping_sub(step)
            };
            return Ok(Typed {
                ty: Some(Type::Pointer(Box::new(to))),
                table: Some(table),
                at: None,
                bits,
            });
        }
        let (ia, ib) = (a as i64, b as i64);
        let value = match sign {
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" | "%" if b == 0 => return Err(self.wrong("Operand error", place)),
            "/" => ia.wrapping_div(ib) as u64,
            "%" => ia.wrapping_rem(ib) as u64,
            "<<" => u32::try_from(b)
                .ok()
                .and_then(|n| a.checked_shl(n))
                .unwrap_or(0),
            ">>" => u32::try_from(b)
                .ok()
                .and_then(|n| a.checked_shr(n))
                .unwrap_or(0),
            "&" => a & b,
            "|" => a | b,
            "^" => a ^ b,
            "==" => u64::from(a == b),
            "!=" => u64::from(a != b),
            "<" => u64::from(ia < ib),
            ">" => u64::from(ia > ib),
            "<=" => u64::from(ia <= ib),
            ">=" => u64::from(ia >= ib),
            "&&" => u64::from(a != 0 && b != 0),
            _ => u64::from(a != 0 || b != 0),
        };
        let is_truth = matches!(sign, "==" | "!=" | "<" | ">" | "<=" | ">=" | "&&" | "||");
        Ok(match wider(left, right).filter(|_| !is_truth) {
            Some((ty, table)) => cast(ty, table, value),
            None => Typed::number(value),
        })
    }

    fn unary(&mut self) -> Result<Typed<'a>> {
        if self.depth >= DEEPEST {
            return Err(self.wrong("Expression nested too deep", self.place()));
        }
        self.depth += 1;
        let value = self.unary_inside();
        self.depth -= 1;
        value
    }

    fn unary_inside(&mut self) -> Result<Typed<'a>> {
        let place = self.place();
        match self.peek() {
            sign @ ("-" | "~" | "!" | "+") => {
                self.at += 1;
                let value = self.unary()?.load(self.kernel)?;
                Ok(Typed::number(match sign {
                    "-" => value.wrapping_neg(),
                    "~" => !value,
                    "!" => u64::from(value == 0),
                    _ => value,
                }))
            }
            "*" => {
                self.at += 1;
                let value = self.unary()?;
                self.target(&value, place)
            }
            "&" => {
                self.at += 1;
                let value = self.unary()?;
                match (value.ty, value.at) {
                    (Some(ty), Some(at)) => Ok(Typed {
                        ty: Some(Type::Pointer(Box::new(ty))),
                        table: value.table,
                        at: None,
                        bits: at.0,
                    }),
                    _ => Err(self.wrong("Operand error", place)),
                }
            }
            "sizeof" => {
                self.at += 1;
                self.expect("(")?;
                let (ty, table) = match self.type_name()? {
                    Some(found) => found,
                    None => {
                        let value = self.binary(0)?;
                        match (value.ty, value.table) {
                            (Some(ty), Some(table)) => (ty, table),
                            _ => return Err(self.wrong("Operand error", place)),
                        }
                    }
                };
                self.expect(")")?;
                let size = table.size_of(&ty);
                let size = size.ok_or_else(|| {
                    Error::NeedsSymbols(format!("the symbols do not say how large {ty} is"))
                })?;
                Ok(cast(size_type(), table, size))
            }
            "#FIELD_OFFSET" => {
                self.at += 1;
                self.expect("(")?;
                let Some((Type::Udt(name), table)) = self.type_name()? else {
                    return Err(self.wrong("Operand error", place));
                };
                self.expect(",")?;
                let path: String = std::iter::from_fn(|| {
                    let part = self.peek();
                    let is_part = !matches!(part, "" | ")");
                    self.at += usize::from(is_part);
                    is_part.then_some(part)
                })
                .collect();
                self.expect(")")?;
                Ok(cast(
                    offset_type(),
                    table,
                    table.field(&name, &path)?.offset,
                ))
            }
            "(" => {
                let before = self.at;
                self.at += 1;
                if let Some((ty, table)) = self.type_name()?
                    && self.eat(")")
                {
                    let bits = self.unary()?.load(self.kernel)?;
                    return Ok(cast(ty, table, bits));
                }
                self.at = before;
                self.postfix()
            }
            _ => self.postfix(),
        }
    }

    /// A type and its stars, when there is one here; otherwise nothing is taken.
    fn type_name(&mut self) -> Result<Option<(Type, &'a SymbolTable)>> {
        let before = self.at;
        while matches!(
            self.peek(),
            "struct" | "union" | "enum" | "class" | "const" | "volatile"
        ) {
            self.at += 1;
        }
        let mut name = self.peek().to_string();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        self.at += 1;
        while matches!(name.as_str(), "unsigned" | "long" | "unsigned long")
            && self.peek().chars().all(char::is_alphabetic)
            && !self.peek().is_empty()
        {
            name = format!("{name} {}", self.peek());
            self.at += 1;
        }
        let mut stars = 0usize;
        while self.eat("*") {
            stars += 1;
        }
        let ends = matches!(self.peek(), ")" | ",");
        let found = match is_name && ends {
            true if name == "void" && stars > 0 => find(self.kernel, "PVOID")
                .ok()
                .map(|found| (Type::Void, found.table)),
            true => find(self.kernel, &name)
                .ok()
                .filter(|found| found.at.is_none())
                .map(|found| {
                    let ty = match found.what {
                        What::Udt(udt) => Type::Udt(udt.name.clone()),
                        What::Enum(e) => Type::Enum(e.name.clone()),
                        What::Plain(ty) => ty,
                    };
                    (ty, found.table)
                }),
            false => None,
        };
        if found.is_none() {
            // A name with stars behind it in brackets can only be a type: kd says so too.
            if is_name && ends && stars > 0 {
                return Err(Error::NoType(name));
            }
            self.at = before;
        }
        Ok(found.map(|(ty, table)| {
            let stars = (0..stars).fold(ty, |ty, _| Type::Pointer(Box::new(ty)));
            (stars, table)
        }))
    }

    fn postfix(&mut self) -> Result<Typed<'a>> {
        let mut value = self.primary()?;
        loop {
            let place = self.place();
            match self.peek() {
                "->" => {
                    self.at += 1;
                    let target = self.target(&value, place)?;
                    value = self.member(&target, place)?;
                }
                "." => {
                    self.at += 1;
                    value = self.member(&value, place)?;
                }
                "[" => {
                    self.at += 1;
                    let index = self.binary(0)?.load(self.kernel)?;
                    self.expect("]")?;
                    value = self.element(&value, index, place)?;
                }
                _ => return Ok(value),
            }
        }
    }

    fn member(&mut self, of: &Typed<'a>, place: usize) -> Result<Typed<'a>> {
        let name = self.peek();
        self.at += 1;
        let (Some(Type::Udt(udt)), Some(table), Some(at)) = (&of.ty, of.table, of.at) else {
            return Err(self.wrong("Type does not have given member error", place));
        };
        let field = table.field(udt, name).map_err(|why| Error::Refused {
            text: self
                .wrong("Type does not have given member error", place)
                .to_string(),
            why: Box::new(why),
        })?;
        Ok(Typed {
            ty: Some(field.ty.clone()),
            table: Some(table),
            at: Some(at + field.offset),
            bits: 0,
        })
    }

    fn element(&self, of: &Typed<'a>, index: u64, place: usize) -> Result<Typed<'a>> {
        let Some((to, table)) = pointee(of) else {
            return Err(self.wrong("Operand error", place));
        };
        let size = table.size_of(&to).unwrap_or(1);
        let start = of.load(self.kernel)?;
        Ok(Typed {
            ty: Some(to),
            table: Some(table),
            at: Some(Virt(start) + index.wrapping_mul(size)),
            bits: 0,
        })
    }

    /// What a pointer points at.
    fn target(&self, value: &Typed<'a>, place: usize) -> Result<Typed<'a>> {
        let Some((to, table)) = pointee(value) else {
            return Err(self.wrong("Operand error", place));
        };
        Ok(Typed {
            at: Some(Virt(value.load(self.kernel)?)),
            ty: Some(to),
            table: Some(table),
            bits: 0,
        })
    }

    fn primary(&mut self) -> Result<Typed<'a>> {
        let place = self.place();
        let token = self.peek();
        if token.is_empty() {
            return Err(Error::Syntax(
                "Numeric expression missing from '<EOL>'".into(),
            ));
        }
        if self.eat("(") {
            let value = self.binary(0)?;
            self.expect(")")?;
            return Ok(value);
        }
        self.at += 1;
        if let Some(ty) = match token.to_ascii_lowercase().as_str() {
            "@$proc" => Some("_EPROCESS"),
            "@$thread" => Some("_ETHREAD"),
            "@$peb" => Some("_PEB"),
            "@$teb" => Some("_TEB"),
            _ => None,
        } {
            let bits = masm::evaluate(self.session, token)?;
            let found = find(self.kernel, &format!("nt!{ty}"))?;
            let ty = Type::Pointer(Box::new(Type::Udt(ty.into())));
            return Ok(cast(ty, found.table, bits));
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) || token.starts_with("@@") {
            return masm::evaluate_cpp(self.session, token).map(Typed::number);
        }
        if token.starts_with('@') {
            return masm::evaluate(self.session, token).map(Typed::number);
        }
        if !token.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$')) {
            return Err(self.wrong("Syntax error", place));
        }
        if let Ok(found) = find(self.kernel, token)
            && let Some(at) = found.at
        {
            let ty = match found.what {
                What::Udt(udt) => Type::Udt(udt.name.clone()),
                What::Enum(e) => Type::Enum(e.name.clone()),
                What::Plain(ty) => ty,
            };
            let ty = found
                .count
                .map_or(ty.clone(), |count| Type::Array(Box::new(ty), count));
            return Ok(Typed {
                ty: Some(ty),
                table: Some(found.table),
                at: Some(at),
                bits: 0,
            });
        }
        match self.session.symbol(token) {
            Ok(at) => Ok(Typed::number(at.0)),
            Err(why) => Err(Error::Refused {
                text: self.wrong("Couldn't resolve error", place).to_string(),
                why: Box::new(why),
            }),
        }
    }
}
