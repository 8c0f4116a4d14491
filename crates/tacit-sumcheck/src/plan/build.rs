//! What every relation's planning needs: columns, public vectors, expressions for tensors and views.

use std::collections::HashMap;

use tacit_relations::{Relation, RelationSystem, Segment, TensorId, View};

use super::slots::slots;
use super::views::factor;
use super::{Check, Column, Fill, Lookup, LookupTable, Plan, PublicRange, PublicVector, Quantity};
use crate::expr::{Expr, Source};
use crate::grid::Grid;
use crate::layout::{Layout, natural_width};
use crate::viewed::Viewed;

/// A plan being made.
pub(super) struct Builder<'s> {
    pub(super) system: &'s RelationSystem,
    /// Bits of a digit.
    pub(super) bits: usize,
    /// Row length of the witness.
    width: usize,
    columns: Vec<Column>,
    column_grids: Vec<Grid>,
    publics: Vec<PublicVector>,
    public_grids: Vec<Grid>,
    views: Vec<Viewed>,
    pub(super) quantities: Vec<Quantity>,
    tables: Vec<LookupTable>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) checks: Vec<Check>,
    pub(super) public_ranges: Vec<PublicRange>,
    /// What is known of each tensor, over its own grid.
    pub(super) exprs: Vec<Option<Expr>>,
    /// Values that each tensor can take, whatever a prover does.
    pub(super) intervals: Vec<(i128, i128)>,
    /// Requantisations that define the accumulator they read.
    pub(super) absorbed: HashMap<TensorId, usize>,
    /// Requantisations already planned.
    pub(super) planned: Vec<bool>,
    /// Bounds asked of the elements of committed tensors.
    pub(super) bounds: HashMap<TensorId, Vec<(i64, i64)>>,
}

impl<'s> Builder<'s> {
    pub(super) fn new(system: &'s RelationSystem, bits: usize) -> Self {
        let mut builder = Self {
            system,
            bits,
            width: 0,
            columns: Vec::new(),
            column_grids: Vec::new(),
            publics: Vec::new(),
            public_grids: Vec::new(),
            views: Vec::new(),
            quantities: Vec::new(),
            tables: Vec::new(),
            lookups: Vec::new(),
            checks: Vec::new(),
            public_ranges: Vec::new(),
            exprs: vec![None; system.tensors().len()],
            intervals: super::ranges::intervals(system),
            absorbed: HashMap::new(),
            planned: vec![false; system.relations().len()],
            bounds: HashMap::new(),
        };
        for segment in Segment::COMMITTED {
            for id in system.parts(segment).into_iter().flat_map(|p| p.tensors) {
                let grid = builder.grid(id);
                let layout = Layout::of_shape(&system.tensor(id).shape);
                let source = builder.push(segment, grid.clone(), layout, Fill::Tensor(id));
                builder.exprs[id.0 as usize] = Some(Expr::source(source, grid.lens.len()));
            }
        }
        builder.width = builder.columns.iter().map(|c| c.layout.row_len()).max().unwrap_or(0);
        let results: Vec<TensorId> = system.relations().iter().filter_map(Relation::result).collect();
        for (i, spec) in system.tensors().iter().enumerate() {
            let id = TensorId(i as u32);
            let given = spec.segment == Segment::Constant
                || spec.segment == Segment::Public && !results.contains(&id);
            if given {
                builder.exprs[i] = Some(builder.public_tensor(id));
            }
        }
        builder
    }

    /// The finished plan.
    pub(super) fn finish(mut self) -> Plan {
        let tables = std::mem::take(&mut self.tables);
        for (table, spec) in tables.iter().enumerate() {
            let grid = Grid { lens: vec![1 << spec.vars()] };
            let layout = Layout::new(&grid, natural_width(grid.len()).max(self.width));
            self.push(Segment::Witness, grid, layout, Fill::Multiplicities { table });
        }
        // Stable: the order among equals is the order of planning.
        self.lookups.sort_by_key(|l| std::cmp::Reverse(Grid { lens: l.lens.clone() }.vars()));
        let width = self.columns.iter().map(|c| c.layout.row_len()).max().unwrap_or(1);
        Plan {
            columns: self.columns,
            column_grids: self.column_grids,
            publics: self.publics,
            public_grids: self.public_grids,
            views: self.views,
            quantities: self.quantities,
            tables,
            lookups: self.lookups,
            checks: self.checks,
            public_ranges: self.public_ranges,
            width: width.next_power_of_two(),
            tensors: self.exprs,
        }
    }

    /// The grid of a tensor.
    pub(super) fn grid(&self, id: TensorId) -> Grid {
        Grid::of_shape(&self.system.tensor(id).shape)
    }

    fn push(&mut self, segment: Segment, grid: Grid, layout: Layout, fill: Fill) -> Source {
        self.columns.push(Column { segment, layout, fill });
        self.column_grids.push(grid);
        Source::Column(self.columns.len() - 1)
    }

    /// A column committed with the proof.
    pub(super) fn witness(&mut self, lens: &[usize], fill: Fill) -> Expr {
        let grid = Grid { lens: lens.to_vec() };
        let layout = Layout::new(&grid, natural_width(grid.len()).max(self.width));
        Expr::source(self.push(Segment::Witness, grid, layout, fill), lens.len())
    }

    /// A vector that the verifier computes.
    pub(super) fn public(&mut self, lens: &[usize], vector: PublicVector) -> Expr {
        self.publics.push(vector);
        self.public_grids.push(Grid { lens: lens.to_vec() });
        Expr::source(Source::Public(self.publics.len() - 1), lens.len())
    }

    fn public_tensor(&mut self, id: TensorId) -> Expr {
        let (grid, shape) = (self.grid(id), &self.system.tensor(id).shape);
        self.public(&grid.lens, PublicVector::View(View::whole(id, shape)))
    }

    /// Index of a table: of one known already, or of a new one.
    pub(super) fn table(&mut self, table: LookupTable) -> usize {
        self.tables.iter().position(|known| *known == table).unwrap_or_else(|| {
            self.tables.push(table);
            self.tables.len() - 1
        })
    }

    /// A quantity's index.
    pub(super) fn quantity(&mut self, quantity: Quantity) -> usize {
        self.quantities.push(quantity);
        self.quantities.len() - 1
    }

    /// The expression of a tensor that is defined.
    pub(super) fn tensor(&self, id: TensorId) -> &Expr {
        self.exprs[id.0 as usize].as_ref().expect("systems define tensors before they read them")
    }

    /// The view as an expression over `lens`: directly, or as a view of the tensor's. A public view is a vector of its own where
    /// that is no larger than the tensor.
    pub(super) fn operand(&mut self, view: &View, lens: &[usize]) -> Expr {
        let grid = self.grid(view.tensor);
        if let Some(slots) = slots(view, &grid, lens) {
            return self.tensor(view.tensor).compose(&slots);
        }
        let segment = self.system.tensor(view.tensor).segment;
        let public = matches!(segment, Segment::Constant | Segment::Public);
        if public && view.len() <= grid.len() {
            return self.public(lens, PublicVector::View(view.clone()));
        }
        self.viewed(view, lens)
    }

    /// A view of a tensor's expression over `lens`.
    pub(super) fn viewed(&mut self, view: &View, lens: &[usize]) -> Expr {
        let (grid, original_grid) = (Grid { lens: lens.to_vec() }, self.grid(view.tensor));
        let original = self.tensor(view.tensor).clone();
        let (axes, parts) = factor(view, &original_grid, lens);
        let deeper = original.terms.iter().map(|term| match term.source {
            Source::Viewed(i) => self.views[i].depth,
            Source::Column(_) | Source::Public(_) => 0,
        });
        let depth = 1 + deeper.max().unwrap_or(0);
        self.views.push(Viewed { grid, original_grid, original, view: view.clone(), axes, parts, depth });
        Expr::source(Source::Viewed(self.views.len() - 1), lens.len())
    }

    /// Defines the result of a relation, where nothing else does: public, committed in the statement, the form that a
    /// requantisation gives it, or a column of its own.
    pub(super) fn result(&mut self, y: TensorId) -> Expr {
        if let Some(expr) = &self.exprs[y.0 as usize] {
            return expr.clone();
        }
        let expr = match self.system.tensor(y).segment {
            Segment::Public => self.public_tensor(y),
            _ => match self.absorbed.get(&y).copied() {
                Some(requant) => self.requant(requant),
                None => {
                    let lens = self.grid(y).lens;
                    self.witness(&lens, Fill::Tensor(y))
                }
            },
        };
        self.exprs[y.0 as usize] = Some(expr.clone());
        expr
    }
}
