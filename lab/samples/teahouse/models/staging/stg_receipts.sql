select order_id, cast(paid as decimal(10, 2)) as paid
from {{ source('till', 'receipts') }}
