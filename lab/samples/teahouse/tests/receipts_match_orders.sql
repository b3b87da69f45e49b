{{ config(tags=['finance'], meta={'owner': 'lena@teahouse.example'}) }}
select order_id, amount, paid
from {{ ref('orders') }}
where is_paid and paid <> amount
