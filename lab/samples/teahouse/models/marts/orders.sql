select orders.*, receipts.paid, receipts.paid is not null as is_paid
from {{ ref('stg_orders') }} as orders
left join {{ ref('stg_receipts') }} as receipts using (order_id)
