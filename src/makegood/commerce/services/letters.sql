-- What the notification service has written down.

CREATE TABLE service_notification (
    order_id     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    customer_id  TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('sent', 'failed')),
    PRIMARY KEY (order_id, kind)
);
