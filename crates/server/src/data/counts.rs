//! Counts of entries: the commonest values of a field, and how many there are in each span of time.

use answers::mask::Mask;
use answers::questions;
use query::{Field, Query};
use store::{Answer, Histogram, HistogramAsked, Question, Top, TopAsked, Width};

use super::foreign;
use crate::asked::Asked;
use crate::problem::Problem;

impl Asked {
    /// A field by its name. Who sees names masked may not count the words of a text: any of them may name somebody.
    pub(crate) fn field(&self, name: &str) -> Result<&'static Field, Problem> {
        questions::field(name, self.viewer.mask()).map_err(|error| Problem::bad(error.to_string()))
    }

    /// The commonest values of a field, masked.
    pub(crate) fn top(&self, query: &Query, asked: TopAsked) -> Result<Top, Problem> {
        let field = asked.field;
        let Some(Answer::Top(mut top)) = self.ask(query, &[Question::Top(asked)])?.pop() else { return Err(foreign()) };
        questions::mask_top(&mut top, field, self.viewer.mask());
        Ok(top)
    }

    /// Entries in each span of time, masked.
    pub(crate) fn histogram(
        &self,
        query: &Query,
        width: Width,
        by: Option<&'static Field>,
    ) -> Result<Histogram, Problem> {
        let question = Question::Histogram(HistogramAsked { width, zone: self.app.config.zone.clone(), by });
        let Some(Answer::Histogram(mut histogram)) = self.ask(query, &[question])?.pop() else { return Err(foreign()) };
        questions::mask_histogram(&mut histogram, by, self.viewer.mask());
        Ok(histogram)
    }

    /// `by`, if it is given.
    pub(crate) fn by(&self) -> Result<Option<&'static Field>, Problem> {
        self.params.get("by").map(|name| self.field(name)).transpose()
    }

    /// `distinct`, if it is given. Its values are only counted, so any field will do.
    pub(crate) fn distinct(&self) -> Result<Option<&'static Field>, Problem> {
        let field = |name| questions::field(name, Mask(false)).map_err(|error| Problem::bad(error.to_string()));
        self.params.get("distinct").map(field).transpose()
    }

    /// `width`; without it, what fits a screen.
    pub(crate) fn width(&self) -> Result<Width, Problem> {
        let width = questions::width(self.params.get("width"));
        width.map_err(|error| Problem::bad(error.to_string().trim_start_matches("--")))
    }
}
