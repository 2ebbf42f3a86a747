"""The forms of the console: which commands a person can give here, and in which words."""

from admin.claim_shapes import CLAIM_SHAPES
from admin.customer_shapes import CUSTOMER_SHAPES
from admin.dispute_shapes import DISPUTE_SHAPES
from admin.entity_shapes import ENTITY_SHAPES
from admin.external_shapes import EXTERNAL_SHAPES
from admin.forms import Shape
from admin.governing_shapes import GOVERNING_SHAPES
from admin.work_shapes import WORK_SHAPES

__all__ = ["SHAPES"]

SHAPES: dict[str, Shape] = {
    shape.name: shape
    for shape in (
        *CUSTOMER_SHAPES,
        *DISPUTE_SHAPES,
        *CLAIM_SHAPES,
        *EXTERNAL_SHAPES,
        *WORK_SHAPES,
        *ENTITY_SHAPES,
        *GOVERNING_SHAPES,
    )
}
