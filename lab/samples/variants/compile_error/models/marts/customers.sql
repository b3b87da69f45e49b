select customer_id, customer_name, count(order_id) as orders, coalesce(sum(amount), 0) as spent
from {{ ref('stg_custmers') }}
left join {{ ref('orders') }} using (customer_id)
group by customer_id, customer_name
