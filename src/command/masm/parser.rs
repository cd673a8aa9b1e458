//! Tokens to steps, by precedence climbing. Only brackets and unary operators nest, and their depth is bounded.

use super::functions::{self, Function};
use super::lexer::{Dialect, Kind, Lexer, Settings, Token};
use super::operators::{self, Binary, Unary};
use super::{Complaint, Failure};

/// How deeply brackets and unary operators may nest.
pub(super) const MAX_DEPTH: usize = 100;

/// One move of the stack machine, with the place in the text that an error would quote.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Push(u64),
    Name {
        name: String,
        at: usize,
    },
    Register {
        name: String,
        at: usize,
    },
    Unary {
        operator: Unary,
        at: usize,
    },
    Binary {
        operator: Binary,
        dialect: Dialect,
        at: usize,
    },
    Call {
        function: Function,
        texts: Vec<String>,
        at: usize,
    },
}

/// An expression, and where in the text it ended.
#[derive(Debug)]
pub(super) struct Parsed {
    pub steps: Vec<Step>,
    pub end: usize,
}

pub(super) fn parse(text: &str, settings: Settings, dialect: Dialect) -> Result<Parsed, Failure> {
    let mut parser = Parser {
        lexer: Lexer::new(text, settings, dialect),
        ahead: None,
        steps: Vec::new(),
        depth: 0,
        end: 0,
        last: 0,
    };
    parser.expression(0)?;
    Ok(Parsed {
        steps: parser.steps,
        end: parser.end,
    })
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    ahead: Option<Token>,
    steps: Vec<Step>,
    depth: usize,
    /// The end of the last token that was taken.
    end: usize,
    /// The start of the last token that was taken: where kd quotes from when memory cannot be read (`poi(0)` fails "at ')'").
    last: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Token {
        let token = match self.ahead.take() {
            Some(token) => token,
            None => self.lexer.next(),
        };
        self.ahead = Some(token.clone());
        token
    }

    fn take(&mut self) -> Token {
        let token = match self.ahead.take() {
            Some(token) => token,
            None => self.lexer.next(),
        };
        self.end = token.end;
        self.last = token.start;
        token
    }

    fn expression(&mut self, tightest_outside: u8) -> Result<(), Failure> {
        self.operand()?;
        loop {
            let token = self.peek();
            let dialect = self.lexer.dialect;
            let Some((operator, binding)) = operators::binary(&token.kind, dialect) else {
                return Ok(());
            };
            if binding <= tightest_outside {
                return Ok(());
            }
            self.take();
            self.expression(binding)?;
            self.steps.push(Step::Binary {
                operator,
                dialect,
                at: self.last,
            });
        }
    }

    fn operand(&mut self) -> Result<(), Failure> {
        let start = self.peek().start;
        if self.depth >= MAX_DEPTH {
            return Err(Failure::new(Complaint::TooDeep, start));
        }
        self.depth += 1;
        let outcome = self.operand_inside();
        self.depth -= 1;
        outcome
    }

    fn operand_inside(&mut self) -> Result<(), Failure> {
        let token = self.take();
        let at = token.start;
        if let Some(operator) = operators::unary(&token.kind, self.lexer.dialect) {
            self.operand()?;
            self.steps.push(Step::Unary {
                operator,
                at: self.last,
            });
            return Ok(());
        }
        let step = match token.kind {
            Kind::Number(value) => Step::Push(value),
            Kind::TooLarge => return Err(Failure::new(Complaint::Overflow, at)),
            Kind::Sign("(") => {
                self.expression(0)?;
                return self.close();
            }
            Kind::Switch(dialect) => {
                let outer = std::mem::replace(&mut self.lexer.dialect, dialect);
                self.expression(0)?;
                let closed = self.close();
                self.lexer.dialect = outer;
                return closed;
            }
            Kind::Register(name) => Step::Register { name, at },
            Kind::Word(name) => match functions::find(&name) {
                Some(function) => return self.call(function, at),
                None => Step::Name { name, at },
            },
            Kind::End | Kind::Sign(_) => return Err(Failure::new(Complaint::Missing, at)),
            Kind::Text(_) | Kind::Strange => {
                return Err(Failure::new(Complaint::Syntax, at));
            }
        };
        self.steps.push(step);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        let token = self.take();
        if token.kind == Kind::Sign(")") {
            Ok(())
        } else {
            Err(Failure::new(Complaint::Syntax, token.start))
        }
    }

    fn call(&mut self, function: Function, at: usize) -> Result<(), Failure> {
        let open = self.take();
        if open.kind != Kind::Sign("(") {
            return Err(Failure::new(Complaint::Syntax, open.start));
        }
        let (numbers, strings) = function.takes();
        let mut texts = Vec::new();
        for argument in 0..numbers + strings {
            if argument > 0 {
                let comma = self.take();
                if comma.kind != Kind::Sign(",") {
                    return Err(Failure::new(Complaint::Syntax, comma.start));
                }
            }
            if numbers > 0 {
                self.expression(0)?;
            } else {
                let token = self.take();
                let Kind::Text(text) = token.kind else {
                    return Err(Failure::new(Complaint::Syntax, token.start));
                };
                texts.push(text);
            }
        }
        self.close()?;
        self.steps.push(Step::Call {
            function,
            texts,
            at,
        });
        Ok(())
    }
}
