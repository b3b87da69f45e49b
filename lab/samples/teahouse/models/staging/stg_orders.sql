select order_id, customer_id, tea_id, grams, cast(amount as decimal(10, 2)) as amount, ordered_at
from {{ ref('raw_orders') }}
