"""ORDERS: a shop on makegood's public face and its payments, and makegood's own demonstration."""

from __future__ import annotations

from makegood.commerce.inventory import (
    Delivery,
    OutOfStock,
    Reservation,
    release_inventory,
    reserve_inventory,
    stock_up,
)
from makegood.commerce.notification import Mailer, send_confirmation
from makegood.commerce.orders import (
    CustomerId,
    Line,
    Order,
    OrderId,
    OrderRefused,
    Orders,
    Sku,
    validate_order,
)
from makegood.commerce.place_order import place_order
from makegood.commerce.shipping import Shipment, ShipmentRefused, fulfil_order, recall_shipment

__all__ = [
    "CustomerId",
    "Delivery",
    "Line",
    "Mailer",
    "Order",
    "OrderId",
    "OrderRefused",
    "Orders",
    "OutOfStock",
    "Reservation",
    "Shipment",
    "ShipmentRefused",
    "Sku",
    "fulfil_order",
    "place_order",
    "recall_shipment",
    "release_inventory",
    "reserve_inventory",
    "send_confirmation",
    "stock_up",
    "validate_order",
]
